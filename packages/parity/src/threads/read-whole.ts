import { readSync } from 'node:fs'

/**
 * Fills `into` from `offset` of a file that any thread opened. False where the file ends before or cannot be read: whoever needs the
 * bytes reads them again where an error can be told.
 */
export function readWhole(descriptor: number, into: Uint8Array, offset: number): boolean {
  try {
    for (let done = 0; done < into.length; ) {
      const count = readSync(descriptor, into, done, into.length - done, offset + done)
      if (count === 0) return false
      done += count
    }
    return true
  } catch {
    return false
  }
}
