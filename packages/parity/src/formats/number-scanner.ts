import { FREE_FROM, kernelMemory, makeKernels } from '../kernels/kernels.ts'
import { POWERS_BYTES, powersOfFive } from './powers-of-five.ts'
import type { KnownPlace, RecordingFile } from './recording-file.ts'
import { invalid } from './recording-file.ts'
import { isJsonBlank } from './strict-json.ts'

const WINDOW_BYTES = 1 << 18
/** Longer than any number that a program prints. */
const MAX_NUMBER_BYTES = 512
/** After what was read: zeros, in which no number ends, for what the kernel loads along with the last bytes. */
const SPARE_BYTES = 1024
const WINDOW_FROM = FREE_FROM + POWERS_BYTES
const VALUES_FROM = WINDOW_FROM + WINDOW_BYTES + SPARE_BYTES
/** That the kernel reads at once. */
const VALUES = 1 << 14
const [COMMA, CLOSE] = [44, 93]

/**
 * Reads the numbers of a JSON array from the bytes of a file, in order, to the bits that JSON.parse gives. The usual ones are read by
 * a kernel (assembly/numbers.ts), since JSON.parse makes a string and an array of them; the others go to Number().
 */
export class NumberScanner {
  readonly #file: RecordingFile
  readonly #kernels: ReturnType<typeof makeKernels>
  readonly #window: Buffer
  readonly #floats: Float32Array
  readonly #doubles: Float64Array
  /** Of the window's first byte. */
  #windowStart = 0
  #size = 0
  #at = 0
  #ended = false
  #line: number | undefined

  constructor(file: RecordingFile) {
    this.#file = file
    const memory = kernelMemory(VALUES_FROM - FREE_FROM + VALUES * Float64Array.BYTES_PER_ELEMENT)
    new BigUint64Array(memory.buffer, FREE_FROM).set(powersOfFive())
    this.#kernels = makeKernels(memory)
    this.#window = Buffer.from(memory.buffer, WINDOW_FROM, WINDOW_BYTES + SPARE_BYTES)
    this.#floats = new Float32Array(memory.buffer, VALUES_FROM, VALUES)
    this.#doubles = new Float64Array(memory.buffer, VALUES_FROM, VALUES)
  }

  /** In bytes: after the comma of the last number that was read. */
  get offset(): number {
    return this.#windowStart + this.#at
  }

  /** `line`: that the numbers are in, for messages. */
  seek(offset: number, line?: number): void {
    this.#line = line
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
    const values = toFloat32 ? this.#floats : this.#doubles
    for (let done = 0; done < into.length; ) {
      const count = Math.min(VALUES, into.length - done)
      for (let index = 0; index < count; ) {
        this.#fill()
        // A number that begins before it is in the window whole.
        const safe = WINDOW_FROM + (this.#ended ? this.#size : this.#size - MAX_NUMBER_BYTES)
        const [at, width] = [WINDOW_FROM + this.#at, toFloat32 ? 1 : 0]
        index = this.#kernels.scanNumbers(at, safe, VALUES_FROM, index, count, width, FREE_FROM)
        const stopped = this.#kernels.stoppedAt()
        this.#at = stopped - WINDOW_FROM
        if (index < count && (stopped < safe || this.#ended)) values[index++] = this.#readUnusual()
      }
      into.set(values.subarray(0, count), done)
      done += count
    }
  }

  placeOf(byteOffset: number): KnownPlace {
    return { file: this.#file.path, ...(this.#line !== undefined && { line: this.#line }), byteOffset }
  }

  /** Whether the array ends here: what must be after its last number. */
  get atEnd(): boolean {
    this.#fill()
    return this.#window[this.#at] === CLOSE
  }

  /** One number, whatever its shape, and the comma after it. */
  #readUnusual(): number {
    const start = this.#skipBlanks(this.#at)
    const text = this.#window.toString('latin1', start, Math.min(start + MAX_NUMBER_BYTES, this.#size))
    const [all, number, quoted, bare] = UNUSUAL.exec(text) ?? []
    const name = quoted ?? bare
    if (all === undefined) throw this.#broken(start)
    const end = this.#skipBlanks(start + all.length)
    if (this.#window[end] !== COMMA && this.#window[end] !== CLOSE) throw this.#broken(end)
    this.#at = this.#window[end] === COMMA ? end + 1 : end
    if (name === undefined) return Number(number)
    return /nan/i.test(name) ? Number.NaN : name.startsWith('-') ? -Infinity : Infinity
  }

  #skipBlanks(from: number): number {
    let at = from
    while (isJsonBlank(this.#window[at]!) && at < this.#size) at++
    return at
  }

  #fill(): void {
    if (this.#size - this.#at > MAX_NUMBER_BYTES || this.#ended) return
    const rest = this.#size - this.#at
    this.#window.copyWithin(0, this.#at, this.#size)
    this.#windowStart += this.#at
    this.#at = 0
    const count = this.#file.readSome(this.#window.subarray(rest, WINDOW_BYTES), this.#windowStart + rest)
    this.#size = rest + count
    this.#ended = this.#size < WINDOW_BYTES
    this.#window.fill(0, this.#size, this.#size + SPARE_BYTES)
  }

  #broken(at: number) {
    return invalid(this.placeOf(this.#windowStart + at), 'a number must stand here')
  }
}

/** A number; or what is none, as a string or bare. */
const UNUSUAL =
  /^(?:(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|"(NaN|nan|-?(?:Infinity|inf))"|(NaN|nan|-?(?:Infinity|inf))(?![A-Za-z0-9]))/
