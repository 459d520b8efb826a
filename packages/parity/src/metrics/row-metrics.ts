import type { Values } from '../recording/recording.ts'

/** Where in the array that `RowKernel` fills each sum stands. */
export const SUM = {
  maxDifference: 0,
  sumDifference: 1,
  squaredDifference: 2,
  product: 3,
  candidateSquares: 4,
  referenceSquares: 5,
  /** In units in the last place of F32. */
  ulp: 6,
  /** How many values are smaller than every normal F32. */
  candidateTiny: 7,
  referenceTiny: 8,
} as const

export const SUMS = 9

/** The least normal F32. */
export const LEAST_NORMAL = 2 ** -126

/** Rows of a block of values of both sides, with the bits of F32 where both are. */
export class PairOfBlocks {
  readonly #x: Values
  readonly #y: Values
  readonly #bits: readonly [Int32Array, Int32Array] | undefined

  constructor(x: Values, y: Values) {
    this.#x = x
    this.#y = y
    if (x instanceof Float32Array && y instanceof Float32Array) this.#bits = [bitsOf(x), bitsOf(y)]
  }

  /**
   * One pass over `width` values of each side, for what metrics and fitness need; -0 and 0 are 1 ULP apart. Every sum is NaN or
   * infinite as soon as one of the values is.
   */
  compare(xStart: number, yStart: number, width: number, sums: Float64Array): void {
    const x = this.#x
    const y = this.#y
    if (this.#bits !== undefined) {
      compareFloats(x as Float32Array, this.#bits[0], xStart, y as Float32Array, this.#bits[1], yStart, width, sums)
    } else compareDoubles(x, xStart, y, yStart, width, sums)
  }
}

const bitsOf = (values: Float32Array) => new Int32Array(values.buffer, values.byteOffset, values.length)

function compareFloats(
  x: Float32Array,
  xBits: Int32Array,
  xStart: number,
  y: Float32Array,
  yBits: Int32Array,
  yStart: number,
  width: number,
  sums: Float64Array,
): void {
  let maxDifference = 0
  let sumDifference = 0
  let squaredDifference = 0
  let product = 0
  let xSquares = 0
  let ySquares = 0
  let ulp = 0
  let xTiny = 0
  let yTiny = 0
  for (let i = 0; i < width; i++) {
    const a = x[xStart + i]!
    const b = y[yStart + i]!
    const difference = Math.abs(a - b)
    if (difference > maxDifference) maxDifference = difference
    sumDifference += difference
    squaredDifference += difference * difference
    product += a * b
    xSquares += a * a
    ySquares += b * b
    if (Math.abs(a) < LEAST_NORMAL) xTiny++
    if (Math.abs(b) < LEAST_NORMAL) yTiny++
    const xi = xBits[xStart + i]!
    const yi = yBits[yStart + i]!
    const steps = Math.abs((xi ^ ((xi >> 31) & 0x7fffffff)) - (yi ^ ((yi >> 31) & 0x7fffffff)))
    if (steps > ulp) ulp = steps
  }
  // A NaN is larger than nothing; the sums hold it.
  sums[SUM.maxDifference] = Number.isNaN(sumDifference) ? NaN : maxDifference
  sums[SUM.sumDifference] = sumDifference
  sums[SUM.squaredDifference] = squaredDifference
  sums[SUM.product] = product
  sums[SUM.candidateSquares] = xSquares
  sums[SUM.referenceSquares] = ySquares
  sums[SUM.ulp] = ulp
  sums[SUM.candidateTiny] = xTiny
  sums[SUM.referenceTiny] = yTiny
}

function compareDoubles(x: Values, xStart: number, y: Values, yStart: number, width: number, sums: Float64Array): void {
  const xRow = x.subarray(xStart, xStart + width)
  const yRow = y.subarray(yStart, yStart + width)
  new PairOfBlocks(Float32Array.from(xRow), Float32Array.from(yRow)).compare(0, 0, width, sums)
  let maxDifference = 0
  let sumDifference = 0
  let squaredDifference = 0
  let product = 0
  let xSquares = 0
  let ySquares = 0
  for (let i = 0; i < width; i++) {
    const a = xRow[i]!
    const b = yRow[i]!
    const difference = Math.abs(a - b)
    if (difference > maxDifference) maxDifference = difference
    sumDifference += difference
    squaredDifference += difference * difference
    product += a * b
    xSquares += a * a
    ySquares += b * b
  }
  sums[SUM.maxDifference] = Number.isNaN(sumDifference) ? NaN : maxDifference
  sums[SUM.sumDifference] = sumDifference
  sums[SUM.squaredDifference] = squaredDifference
  sums[SUM.product] = product
  sums[SUM.candidateSquares] = xSquares
  sums[SUM.referenceSquares] = ySquares
}

/** One pass over one row of one side: what fitness needs of it, as `sums` of the reference. */
export function sizeRow(values: Values, start: number, width: number, sums: Float64Array): void {
  let squares = 0
  let tiny = 0
  for (let i = start; i < start + width; i++) {
    const value = values[i]!
    squares += value * value
    if (Math.abs(value) < LEAST_NORMAL) tiny++
  }
  sums[SUM.referenceSquares] = squares
  sums[SUM.referenceTiny] = tiny
}

/** Both rows the same, bit for bit: what `compare` would say, from what `sizeRow` left in `sums`. */
export function samePair(sums: Float64Array): void {
  sums[SUM.maxDifference] = 0
  sums[SUM.sumDifference] = 0
  sums[SUM.squaredDifference] = 0
  sums[SUM.product] = sums[SUM.referenceSquares]!
  sums[SUM.candidateSquares] = sums[SUM.referenceSquares]!
  sums[SUM.ulp] = 0
  sums[SUM.candidateTiny] = sums[SUM.referenceTiny]!
}
