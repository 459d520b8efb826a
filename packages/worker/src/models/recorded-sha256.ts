import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { PlumblineError } from '@plumbline/protocol/errors'
import { fileSha256 } from '../telemetry/file-sha256.ts'

// Beside a pulled file lies `<file>.sha256`, as `sha256sum` writes it and `sha256sum --check` reads it.

export async function recordSha256(path: string, sha256: string): Promise<void> {
  await writeFile(`${path}.sha256`, `${sha256}  ${basename(path)}\n`)
}

/** What the Hub published for this file when it was pulled; undefined for a file that `pull` did not fetch. */
export function recordedSha256(path: string): string | undefined {
  try {
    return /^[0-9a-f]{64}(?= )/.exec(readFileSync(`${path}.sha256`, 'utf8'))?.[0]
  } catch {
    return undefined
  }
}

/**
 * To be asked before each load: whether the file is still what the Hub published. Of a file that has not changed since it was
 * last asked about, the answer is remembered.
 *
 * @throws PlumblineError CHECKSUM_MISMATCH
 */
export async function verifyRecordedSha256(path: string): Promise<void> {
  const expected = recordedSha256(path)
  if (expected === undefined) return
  const sha256 = await fileSha256(path)
  if (expected !== sha256) throw checksumMismatch(path, expected, sha256)
}

/** @param what the file, or where its bytes came from */
export function checksumMismatch(what: string, expected: string, sha256: string): PlumblineError {
  const message = `${what}: the bytes have sha256 ${sha256}, must have ${expected}; pull the model again`
  return new PlumblineError('CHECKSUM_MISMATCH', message, { expected, sha256 })
}
