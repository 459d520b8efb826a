import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'

/** A file that is there only once it is whole. */
export class OutputFile {
  readonly path: string
  readonly #unfinished: string
  readonly #descriptor: number
  #size = 0

  constructor(path: string) {
    this.path = path
    this.#unfinished = `${path}.unfinished`
    this.#descriptor = openSync(this.#unfinished, 'w')
  }

  /** In bytes. */
  get size(): number {
    return this.#size
  }

  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done)
    this.#size += bytes.length
  }

  overwrite(bytes: Uint8Array, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done)
    }
  }

  finish(): void {
    closeSync(this.#descriptor)
    renameSync(this.#unfinished, this.path)
  }

  discard(): void {
    closeSync(this.#descriptor)
    rmSync(this.#unfinished, { force: true })
  }
}
