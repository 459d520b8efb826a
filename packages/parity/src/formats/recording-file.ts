import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import { PlumblineError } from '@plumbline/protocol'
import type { Fault, Place } from '../recording/recording.ts'

/** A file of a recording, open for reading at any place. */
export class RecordingFile {
  readonly path: string
  /** In bytes, when it was opened. */
  readonly size: number
  /** Threads share it. */
  readonly descriptor: number

  /** Throws UNREADABLE_RECORDING. */
  constructor(path: string) {
    this.path = path
    // Before it is opened: a pipe without a writer would never be.
    if (!statsOf(path).isFile()) throw unreadable(path, 'is neither a file nor a folder')
    try {
      this.descriptor = openSync(path, 'r')
    } catch (error) {
      throw unreadable(path, `cannot be opened: ${(error as Error).message}`, error)
    }
    this.size = fstatSync(this.descriptor).size
  }

  /** Fills `into` from `offset`. Throws INVALID_RECORDING where the file ends before. */
  read(into: Uint8Array, offset: number): void {
    const count = this.readSome(into, offset)
    if (count < into.length) {
      const message = `ends at byte ${offset + count}, where ${into.length - count} more bytes must follow`
      throw invalid({ file: this.path, byteOffset: offset + count }, message)
    }
  }

  /** As much of `into` as the file has from `offset`; returns how many bytes that is. */
  readSome(into: Uint8Array, offset: number): number {
    let done = 0
    while (done < into.length) {
      let count: number
      try {
        count = readSync(this.descriptor, into, done, into.length - done, offset + done)
      } catch (error) {
        throw unreadable(this.path, `cannot be read: ${(error as Error).message}`, error)
      }
      if (count === 0) break
      done += count
    }
    return done
  }

  /** A small part of the file, or all that there is of it from `offset`. */
  bytes(offset: number, length: number): Buffer {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - offset)))
    return buffer.subarray(0, this.readSome(buffer, offset))
  }

  close(): void {
    closeSync(this.descriptor)
  }
}

export function withFile<T>(path: string, use: (file: RecordingFile) => T): T {
  const file = new RecordingFile(path)
  try {
    return use(file)
  } finally {
    file.close()
  }
}

/** Throws UNREADABLE_RECORDING where there is nothing, or links lead nowhere. */
export function statsOf(path: string): Stats {
  try {
    return statSync(path)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw unreadable(path, code === 'ENOENT' ? 'is not there' : `cannot be opened: ${message}`, error)
  }
}

/** What is not there or could not be opened. */
export function unreadable(path: string, message: string, cause?: unknown): PlumblineError {
  return new PlumblineError('UNREADABLE_RECORDING', `${path} ${message}`, { file: path }, cause)
}

/** What was opened, and is nothing that is known to hold recorded values. */
export function unreadableAt(place: KnownPlace, message: string, cause?: unknown): PlumblineError {
  return new PlumblineError('UNREADABLE_RECORDING', `${describePlace(place)}: ${message}`, { ...place }, cause)
}

/** Of bad input it is always known where it shows: at the first byte of what is wrong, which may be the whole file. Text has a line too. */
export type KnownPlace = Place & { readonly byteOffset: number }

/** Of what may have been made in memory. */
export const knownPlace = (place: Place): KnownPlace => ({ ...place, byteOffset: place.byteOffset ?? 0 })

/** What was recognised and is damaged so that no more of it can be read. */
export function invalid(place: KnownPlace, message: string): PlumblineError {
  return new PlumblineError('INVALID_RECORDING', `${describePlace(place)}: ${message}`, { ...place })
}

/** For example `trace.jsonl, line 12, byte 3456`. */
export function describePlace(place: Place): string {
  const line = place.line === undefined ? '' : `, line ${place.line}`
  return `${place.file}${line}${place.byteOffset === undefined ? '' : `, byte ${place.byteOffset}`}`
}

/** Messages of errors begin with their place, which a fault states beside its message. */
export function withoutPlace(message: string, place: Place): string {
  const described = describePlace(place)
  return message.startsWith(described) ? message.slice(described.length).replace(/^:? /, '') : message
}

const MAX_FAULTS = 100

/** Faults as they are found: the first hundred, then how many more there are. */
export class FaultList {
  readonly #faults: Fault[] = []
  #more = 0

  add(kind: Fault['kind'], place: KnownPlace, message: string): void {
    if (this.#faults.length >= MAX_FAULTS) this.#more++
    else this.#faults.push({ kind, message, ...place })
  }

  get count(): number {
    return this.#faults.length + this.#more
  }

  list(): readonly Fault[] {
    const last = this.#faults.at(-1)
    if (this.#more === 0 || last === undefined) return this.#faults
    return [...this.#faults, { ...last, message: `${this.#more} more faults are not listed` }]
  }
}
