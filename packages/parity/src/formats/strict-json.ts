import { isUtf8 } from 'node:buffer'

/** Deeper than any recording nests its JSON. What comes after need not mind its stack. */
const MAX_DEPTH = 64

/** What is wrong with a text that should be JSON. */
export class JsonFlaw extends Error {
  /** In bytes from the beginning of the text; where it is no JSON, only `placeInJson` knows. */
  readonly offset: number | undefined

  constructor(message: string, offset?: number) {
    super(message)
    this.offset = offset
  }
}

/**
 * JSON.parse, which throws a JsonFlaw also for what JSON.parse would let pass or mend in silence: bytes that are not UTF-8, and members
 * that an object has twice (of which it takes the last); and for nesting that no recording has.
 */
export function parseStrictJson(bytes: Buffer): unknown {
  checkUtf8(bytes)
  checkMembers(bytes)
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new JsonFlaw(`is not JSON: ${onOneLine((error as Error).message)}`)
  }
}

/** Not a NUL: after a crash the rest of a file may be those. */
export const isJsonBlank = (byte: number) => byte === 32 || byte === 10 || byte === 13 || byte === 9

/** Control characters, as of a file that is NULs from somewhere on, are spelt out. */
function onOneLine(message: string): string {
  const spelt = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is they that are meant
  return message.replace(/\s+/g, ' ').replace(/[\0-\x1f\x7f]/g, spelt)
}

const BYTE_ORDER_MARK = Buffer.from('efbbbf', 'hex')

function checkUtf8(bytes: Buffer): void {
  if (bytes.subarray(0, 3).equals(BYTE_ORDER_MARK)) {
    throw new JsonFlaw('begins with a byte order mark (BOM), which JSON does not have: remove its first three bytes', 0)
  }
  if (isUtf8(bytes)) return
  // What is not UTF-8 comes back as U+FFFD.
  const back = Buffer.from(bytes.toString('utf8'))
  let offset = 0
  while (bytes[offset] === back[offset]) offset++
  throw new JsonFlaw(`is not UTF-8: the byte 0x${bytes.toString('hex', offset, offset + 1)} cannot stand here`, offset)
}

const [QUOTE, BACKSLASH, COLON, OPEN, CLOSE, OPEN_BRACE, CLOSE_BRACE] = Buffer.from('"\\:[]{}')

/** Of what is no JSON, nothing else is said than would be of JSON. */
function checkMembers(bytes: Buffer): void {
  const around: Set<string>[] = []
  let [stringStart, stringEnd] = [0, 0]
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      stringStart = at
      for (at++; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++
      stringEnd = at + 1
    } else if (byte === COLON) {
      const name = nameOf(bytes.toString('utf8', stringStart, stringEnd))
      const names = around.at(-1)
      if (names?.has(name)) throw new JsonFlaw(`has ${JSON.stringify(name)} twice`, stringStart)
      names?.add(name)
    } else if (byte === OPEN || byte === OPEN_BRACE) {
      if (around.push(new Set()) > MAX_DEPTH) throw new JsonFlaw(`is nested deeper than ${MAX_DEPTH}`, at)
    } else if (byte === CLOSE || byte === CLOSE_BRACE) around.pop()
  }
}

/** A name may be spelt in many ways. */
function nameOf(quoted: string): string {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    return JSON.parse(quoted)
  } catch {
    return quoted
  }
}
