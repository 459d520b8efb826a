import { readFileSync } from 'node:fs'
import { findNodeAtLocation, type ParseError, parseTree } from 'jsonc-parser'
import type { KnownPlace } from './recording-file.ts'
import type { JsonFlaw } from './strict-json.ts'

/** Where in a JSON text a member stands, or the nearest thing around it; where the text is no JSON, where it stops to be that. */
export function placeInJson(file: string, text: string, member: readonly PropertyKey[] = []): KnownPlace {
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { disallowComments: true, allowEmptyContent: false })
  const [error] = errors
  if (error !== undefined) return placeAt(file, text, error.offset)
  for (let length = member.length; root !== undefined && length > 0; length--) {
    const path = member.slice(0, length).map((part) => (typeof part === 'number' ? part : String(part)))
    const node = findNodeAtLocation(root, path)
    if (node !== undefined) return placeAt(file, text, node.offset)
  }
  return placeAt(file, text, root?.offset ?? 0)
}

/** Where a flaw shows in bytes that are the whole of a file. */
export function placeOfFlaw(file: string, bytes: Buffer, { offset }: JsonFlaw): KnownPlace {
  if (offset === undefined) return placeInJson(file, bytes.toString('utf8'))
  let line = 1
  for (let at = bytes.indexOf(10); at >= 0 && at < offset; at = bytes.indexOf(10, at + 1)) line++
  return { file, line, byteOffset: offset }
}

/** Where a member stands in a small file, which is read again. */
export function placeInJsonFile(path: string, member: readonly PropertyKey[] = []): KnownPlace {
  return placeInJson(path, readFileSync(path, 'utf8'), member)
}

/** `index`: in UTF-16 units, as JavaScript counts. */
function placeAt(file: string, text: string, index: number): KnownPlace {
  const before = text.slice(0, index)
  return { file, line: before.split('\n').length, byteOffset: Buffer.byteLength(before) }
}
