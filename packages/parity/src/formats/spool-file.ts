import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RecordingFile, unreadable } from './recording-file.ts'

/** Values that had to be unpacked: a temporary file that is gone once it, or this process, is closed. */
export class SpoolFile {
  readonly #directory = mkdtempSync(join(tmpdir(), 'plumbline-parity-'))
  readonly #descriptor: number
  readonly #source: string
  #size = 0

  /** `source`: the file whose values these are, for messages. */
  constructor(source: string) {
    this.#source = source
    this.#descriptor = openSync(join(this.#directory, 'values'), 'w')
  }

  /** Where the next byte will stand. */
  get size(): number {
    return this.#size
  }

  /** Throws UNREADABLE_RECORDING if so many bytes more would take half of what is free. */
  expect(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.#directory)
    if (bytes > (bavail * bsize) / 2) {
      throw unreadable(this.#source, `unpacks to ${bytes} bytes, and ${bavail * bsize} are free in ${tmpdir()}`)
    }
  }

  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done)
    this.#size += bytes.length
  }

  /** For reading; the name is taken away at once, so that nothing stays behind. */
  finish(): RecordingFile {
    closeSync(this.#descriptor)
    try {
      return new RecordingFile(join(this.#directory, 'values'))
    } finally {
      rmSync(this.#directory, { recursive: true, force: true })
    }
  }

  discard(): void {
    closeSync(this.#descriptor)
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
