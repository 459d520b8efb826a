import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readToken, type SampledToken, tokenBytes, writeToken } from '../engine-host/token-batch.ts'

/** Room for 1,800 tokens without logprobs, or 64 with twenty alternatives each. */
const BLOCK_BYTES = 16 * 1024

/**
 * The tokens of a job that its client has not taken yet, first in, first out. They are kept as bytes, two blocks of them in memory at
 * most: the oldest, which is being read, and the newest, which is being filled. What does not fit between the two (2,048 tokens with
 * twenty alternatives each are half a megabyte, and there may be many slow clients) waits in a file that has no name, and goes with
 * this process. Reading and writing a block takes some twenty microseconds, and only for clients so slow.
 */
export class TokenBacklog {
  #oldest: Buffer = NOTHING
  #read = 0
  #newest: Buffer = NOTHING
  #written = 0
  #file: number | undefined
  /** How many bytes each block in the file has, from the first that has not been read again. */
  #blocks: number[] = []
  #fileStart = 0
  #fileEnd = 0

  /** Throws what the file system does when the file cannot be written. */
  push(token: SampledToken): void {
    if (this.#written + tokenBytes(token) > this.#newest.length) this.#flush()
    this.#written = writeToken(token, this.#newest, this.#written)
  }

  shift(): SampledToken | undefined {
    if (this.#read === this.#oldest.length && !this.#refill()) return undefined
    const token = readToken(this.#oldest, this.#read)
    this.#read += tokenBytes(token)
    return token
  }

  /** Forgets everything, and frees what it lay in. */
  clear(): void {
    this.#oldest = this.#newest = NOTHING
    this.#read = this.#written = this.#fileStart = this.#fileEnd = 0
    this.#blocks = []
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  /** The newest block is full: to the file with it, and a new one begins. */
  #flush(): void {
    if (this.#written > 0) {
      this.#file ??= openNameless()
      writeWhole(this.#file, this.#newest.subarray(0, this.#written), this.#fileEnd)
      this.#blocks.push(this.#written)
      this.#fileEnd += this.#written
    }
    if (this.#newest === NOTHING) this.#newest = Buffer.allocUnsafeSlow(BLOCK_BYTES)
    this.#written = 0
  }

  /** The oldest block has been read: on with the next, from the file or, when that holds none, the newest. */
  #refill(): boolean {
    const bytes = this.#blocks.shift()
    if (bytes !== undefined) {
      this.#oldest = Buffer.allocUnsafeSlow(bytes)
      readSync(this.#file!, this.#oldest, 0, bytes, this.#fileStart)
      this.#fileStart += bytes
    } else {
      this.#oldest = Buffer.from(this.#newest.subarray(0, this.#written))
      this.#written = 0
    }
    this.#read = 0
    return this.#oldest.length > 0
  }
}

const NOTHING = Buffer.alloc(0)

let files = 0

/** Readable by this user alone, and by nobody once its name is gone. */
function openNameless(): number {
  const path = join(tmpdir(), `plumbline-backlog-${process.pid}-${files++}`)
  const file = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  return file
}

/** A disk that is nearly full takes a part. */
function writeWhole(file: number, bytes: Buffer, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, position + at)
}
