import { createHash } from 'node:crypto'
import type { TraceManifest } from './trace.ts'

/** The text of `manifest.json`; of a closed one with its `closed.manifest_sha256`. */
export function manifestText({ closed, ...rest }: TraceManifest): string {
  if (closed === undefined) return `${JSON.stringify(rest)}\n`
  const { manifest_sha256: _, ...others } = closed
  const text = JSON.stringify({ ...rest, closed: others })
  const end = '}}'
  return `${text.slice(0, -end.length)},"manifest_sha256":"${sha256(`${text}\n`)}"${end}\n`
}

/** What `closed.manifest_sha256` of that text must be: the sha256 of its bytes without this member and the comma before it. */
export function manifestSha256(text: string): string {
  return sha256(text.replace(/,"manifest_sha256":"[0-9a-f]{64}"/, ''))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
