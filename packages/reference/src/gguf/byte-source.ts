import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { PlumblineError } from '@plumbline/protocol'

/** Bytes that can be read from any place: a file, or a buffer in tests. */
export interface ByteSource {
  /** In bytes. */
  readonly size: number
  /** Exactly `length` bytes from `offset`; the caller has checked both against `size`. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>
}

export function bytesOf(bytes: Uint8Array<ArrayBuffer>): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.slice(offset, offset + length) }
}

/** A file, opened anew for each read, so that nothing has to be closed. */
export function fileSource(path: string): ByteSource {
  const withFile = <T>(use: (descriptor: number) => T): T => {
    let descriptor: number
    try {
      descriptor = openSync(path, 'r')
    } catch (error) {
      throw new PlumblineError(
        'MODEL_NOT_FOUND',
        `${path} cannot be opened: ${(error as Error).message}`,
        { path },
        error,
      )
    }
    try {
      return use(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }
  const stats = withFile((descriptor) => fstatSync(descriptor))
  if (!stats.isFile()) throw new PlumblineError('MODEL_NOT_FOUND', `${path} is not a file`, { path })
  return {
    size: stats.size,
    read: (offset, length) =>
      withFile((descriptor) => {
        const bytes = new Uint8Array(length)
        for (let done = 0; done < length; ) {
          const count = readSync(descriptor, bytes, done, length - done, offset + done)
          if (count === 0)
            throw new PlumblineError('INVALID_GGUF', `${path} became shorter while it was read`, { path })
          done += count
        }
        return bytes
      }),
  }
}
