import type { RecordingFile } from './recording-file.ts'
import { invalid } from './recording-file.ts'

const WINDOW_BYTES = 1 << 18
/** Longer than any number that a program prints. */
const MAX_NUMBER_BYTES = 512
/** 10^22 is the largest power of ten that a float64 holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))
const [MINUS, COMMA, CLOSE] = [45, 44, 93]
/** '.' less '0'. */
const POINT = -2
const SMALLEST_NORMAL_FLOAT = 2 ** -126

const parsed = new Float64Array(1)
const parsedBits = new Uint32Array(parsed.buffer)

/**
 * Reads the numbers of a JSON array from the bytes of a file, in order. JSON.parse is not used since it makes a string, an array and
 * a correctly rounded float64 of each number. A float64 that is exact, or that lies clear of the middle between two float32, gives the
 * same float32 as correct rounding does (Clinger, "How to read floating point numbers accurately", 1990); the others go to Number().
 */
export class NumberScanner {
  readonly #file: RecordingFile
  /** One byte more, which ends the loops over digits. */
  readonly #window = Buffer.allocUnsafe(WINDOW_BYTES + 1)
  /** Of the window's first byte. */
  #windowStart = 0
  #size = 0
  #at = 0
  #ended = false

  constructor(file: RecordingFile) {
    this.#file = file
  }

  /** In bytes: after the comma of the last number that was read. */
  get offset(): number {
    return this.#windowStart + this.#at
  }

  seek(offset: number): void {
    if (offset >= this.#windowStart && offset <= this.#windowStart + this.#size) {
      this.#at = offset - this.#windowStart
      return
    }
    this.#windowStart = offset
    this.#size = this.#at = 0
    this.#ended = false
  }

  /**
   * The next numbers of the array, as many as `into` holds: JSON numbers, NaN and Infinity as strings or bare. Throws INVALID_RECORDING
   * with the byte where there is something else.
   */
  read(into: Float32Array | Float64Array): void {
    const toFloat32 = into instanceof Float32Array
    for (let index = 0; index < into.length; ) {
      if (this.#size - this.#at <= MAX_NUMBER_BYTES && !this.#ended) this.#refill()
      index = this.#readWindow(into, index, toFloat32)
    }
  }

  /** Whether the array ends here: what must be after its last number. */
  get atEnd(): boolean {
    if (this.#size - this.#at <= MAX_NUMBER_BYTES && !this.#ended) this.#refill()
    return this.#window[this.#at] === CLOSE
  }

  /** Numbers up to the last few bytes of the window; returns the index of the next. */
  #readWindow(into: Float32Array | Float64Array, from: number, toFloat32: boolean): number {
    const bytes = this.#window
    const size = this.#size
    // A number that begins before it is in the window whole.
    const safe = this.#ended ? size : size - MAX_NUMBER_BYTES
    const end = into.length
    let at = this.#at
    let index = from
    while (index < end) {
      let byte = bytes[at]!
      while (byte <= 32 && at < size) byte = bytes[++at]!
      if (at >= safe) {
        if (this.#ended) throw this.#broken(at)
        break
      }
      const start = at
      // Signs are random, so they are computed, not branched on.
      const minus = byte === MINUS ? 1 : 0
      at += minus
      byte = bytes[at]!

      // Up to 15 digits are an exact float64, up to 7 more another.
      let high = 0
      let low = 0
      let lowDigits = 0
      let fraction = 0
      let exponent = 0
      let digit = byte - 48
      const integerStart = at
      while (digit >>> 0 <= 9) {
        high = high * 10 + digit
        digit = bytes[++at]! - 48
      }
      const integerDigits = at - integerStart
      if (integerDigits === 0) {
        at = this.#afterNumber(this.#readName(into, index++, start), size)
        continue
      }
      if (digit === POINT) {
        let taken = high === 0 ? 0 : integerDigits
        const fractionStart = ++at
        digit = bytes[at]! - 48
        for (; digit >>> 0 <= 9 && taken < 15; taken++) {
          high = high * 10 + digit
          digit = bytes[++at]! - 48
        }
        fraction = at - fractionStart
        while (digit >>> 0 <= 9) {
          if (lowDigits < 7) {
            low = low * 10 + digit
            lowDigits++
          }
          digit = bytes[++at]! - 48
        }
        if (at === fractionStart) throw this.#broken(at)
      }
      byte = digit + 48
      if (byte === 101 || byte === 69) {
        byte = bytes[++at]!
        const down = byte === 45
        if (down || byte === 43) byte = bytes[++at]!
        const exponentStart = at
        while (byte >= 48 && byte <= 57) {
          exponent = exponent * 10 + (byte - 48)
          byte = bytes[++at]!
        }
        if (at === exponentStart) throw this.#broken(at)
        if (down) exponent = -exponent
      }

      exponent -= fraction
      let value: number
      if (lowDigits === 0 && integerDigits <= 15 && exponent >= -22 && exponent <= 22) {
        value = exponent < 0 ? high / POWERS[-exponent]! : high * POWERS[exponent]!
      } else if (toFloat32 && integerDigits <= 15 && exponent <= 0 && exponent - lowDigits >= -44) {
        exponent -= lowDigits
        value = high * POWERS[lowDigits]! + low
        value = exponent >= -22 ? value / POWERS[-exponent]! : value / 1e22 / POWERS[-exponent - 22]!
        parsed[0] = value
        // The 29 bits that a float32 has not: are they near their half?
        const rest = parsedBits[0]! & 0x1fffffff
        if ((rest > 0x0fffffe0 && rest < 0x10000020) || (value < SMALLEST_NORMAL_FLOAT && value !== 0)) {
          value = Math.abs(Number(bytes.toString('latin1', start, at)))
        }
      } else value = Math.abs(Number(bytes.toString('latin1', start, at)))
      into[index++] = value * (1 - 2 * minus)
      at = this.#afterNumber(at, size)
    }
    this.#at = at
    return index
  }

  /** Past the one comma that may follow; a closing bracket stays. */
  #afterNumber(from: number, size: number): number {
    const bytes = this.#window
    let at = from
    while (bytes[at]! <= 32 && at < size) at++
    if (bytes[at] === COMMA) return at + 1
    if (bytes[at] !== CLOSE) throw this.#broken(at)
    return at
  }

  /** A number that is none, as a string or bare, from its first byte; returns where it ends. */
  #readName(into: Float32Array | Float64Array, index: number, start: number): number {
    const quoted = this.#window[start] === 34
    const from = quoted ? start + 1 : start
    const text = this.#window.toString('latin1', from, Math.min(from + 9, this.#size))
    const name = /^(NaN|nan|-?(?:Infinity|inf))(?![A-Za-z0-9])/.exec(text)?.[1]
    const end = from + (name?.length ?? 0)
    if (name === undefined || (quoted && this.#window[end] !== 34)) throw this.#broken(start)
    into[index] = /nan/i.test(name) ? Number.NaN : name.startsWith('-') ? -Infinity : Infinity
    return quoted ? end + 1 : end
  }

  #refill(): void {
    const rest = this.#size - this.#at
    this.#window.copy(this.#window, 0, this.#at, this.#size)
    this.#windowStart += this.#at
    this.#at = 0
    const count = this.#file.readSome(this.#window.subarray(rest, WINDOW_BYTES), this.#windowStart + rest)
    this.#size = rest + count
    this.#ended = this.#size < WINDOW_BYTES
    this.#window[this.#size] = 0
  }

  #broken(at: number) {
    return invalid({ file: this.#file.path, byteOffset: this.#windowStart + at }, 'a number must stand here')
  }
}
