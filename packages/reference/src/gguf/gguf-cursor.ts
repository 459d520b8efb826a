import { PlumblineError } from '@plumbline/protocol'
import type { ByteSource } from './byte-source.ts'

const WINDOW_BYTES = 1 << 20

/** An error about the file's structure: where it is wrong, and what was expected there. */
export function invalidGguf(field: string, offset: number, message: string): PlumblineError {
  return new PlumblineError('INVALID_GGUF', `${field} at byte ${offset}: ${message}`, { field, offset })
}

/** Reads the little-endian header of a GGUF file front to back, through a window, never past the end. */
export class GgufCursor {
  readonly #source: ByteSource
  #offset = 0
  #window = new DataView(new ArrayBuffer(0))
  #windowStart = 0
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  constructor(source: ByteSource) {
    this.#source = source
  }

  /** Of the next byte to be read. */
  get offset(): number {
    return this.#offset
  }

  get remaining(): number {
    return this.#source.size - this.#offset
  }

  u8 = (field: string): number => this.#take(field, 1, (view, at) => view.getUint8(at))
  i8 = (field: string): number => this.#take(field, 1, (view, at) => view.getInt8(at))
  u16 = (field: string): number => this.#take(field, 2, (view, at) => view.getUint16(at, true))
  i16 = (field: string): number => this.#take(field, 2, (view, at) => view.getInt16(at, true))
  u32 = (field: string): number => this.#take(field, 4, (view, at) => view.getUint32(at, true))
  i32 = (field: string): number => this.#take(field, 4, (view, at) => view.getInt32(at, true))
  f32 = (field: string): number => this.#take(field, 4, (view, at) => view.getFloat32(at, true))
  f64 = (field: string): number => this.#take(field, 8, (view, at) => view.getFloat64(at, true))
  /** 64-bit integers are numbers where a number holds them exactly. */
  u64 = (field: string): number | bigint => exactNumber(this.#take(field, 8, (view, at) => view.getBigUint64(at, true)))
  i64 = (field: string): number | bigint => exactNumber(this.#take(field, 8, (view, at) => view.getBigInt64(at, true)))

  bool = (field: string): boolean => {
    const at = this.#offset
    const value = this.u8(field)
    if (value > 1) throw invalidGguf(field, at, `a boolean is ${value}, must be 0 or 1`)
    return value === 1
  }

  /** A number of things of at least `minimumBytes` each: one that the rest of the file can hold. */
  count(field: string, minimumBytes: number): number {
    const at = this.#offset
    const count = this.u64(field)
    if (typeof count === 'bigint' || count > this.remaining / minimumBytes) {
      const most = Math.floor(this.remaining / minimumBytes)
      throw invalidGguf(field, at, `is ${count}, but the rest of the file can hold at most ${most}`)
    }
    return count
  }

  string = (field: string): string => {
    const length = this.count(`${field} (length)`, 1)
    const at = this.#offset
    const bytes = this.#take(
      field,
      length,
      (view, start) => new Uint8Array(view.buffer, view.byteOffset + start, length),
    )
    try {
      return this.#utf8.decode(bytes)
    } catch {
      throw invalidGguf(field, at, 'is not UTF-8')
    }
  }

  #take<T>(field: string, length: number, read: (view: DataView, at: number) => T): T {
    if (length > this.remaining) {
      throw invalidGguf(field, this.#offset, `the file ends here: ${length} bytes expected, ${this.remaining} left`)
    }
    if (this.#offset + length > this.#windowStart + this.#window.byteLength) {
      const size = Math.min(Math.max(length, WINDOW_BYTES), this.remaining)
      this.#window = new DataView(this.#source.read(this.#offset, size).buffer)
      this.#windowStart = this.#offset
    }
    const value = read(this.#window, this.#offset - this.#windowStart)
    this.#offset += length
    return value
  }
}

function exactNumber(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
