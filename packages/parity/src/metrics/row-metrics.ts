import type { Values } from '../recording/recording.ts'

/** Where in the numbers of a row each sum stands; assembly/row-sums.ts writes them in this order. */
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

/** The least normal F32, and its bits. */
export const LEAST_NORMAL = 2 ** -126
const LEAST_NORMAL_BITS = 0x0080_0000
const SIZE_BITS = 0x7fff_ffff

/**
 * What metrics and fitness need of a row of both sides; -0 and 0 are 1 ULP apart. Every sum is NaN or infinite as soon as one of the
 * values is.
 */
export function compareRow(x: Values, y: Values, sums: Float64Array): void {
  let maxDifference = 0
  let sumDifference = 0
  let squaredDifference = 0
  let product = 0
  let xSquares = 0
  let ySquares = 0
  for (let i = 0; i < x.length; i++) {
    const a = x[i]!
    const b = y[i]!
    const difference = Math.abs(a - b)
    if (difference > maxDifference) maxDifference = difference
    sumDifference += difference
    squaredDifference += difference * difference
    product += a * b
    xSquares += a * a
    ySquares += b * b
  }
  let ulp = 0
  let xTiny = 0
  let yTiny = 0
  const xBits = floatBits(x)
  const yBits = floatBits(y)
  for (let i = 0; i < xBits.length; i++) {
    const a = xBits[i]!
    const b = yBits[i]!
    if ((a & SIZE_BITS) < LEAST_NORMAL_BITS) xTiny++
    if ((b & SIZE_BITS) < LEAST_NORMAL_BITS) yTiny++
    const steps = Math.abs((a ^ ((a >> 31) & SIZE_BITS)) - (b ^ ((b >> 31) & SIZE_BITS)))
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

function floatBits(values: Values): Int32Array {
  const { buffer, byteOffset, length } = values instanceof Float32Array ? values : Float32Array.from(values)
  return new Int32Array(buffer, byteOffset, length)
}

/** What fitness needs of a row of one side. */
export function sizeRow(values: Values): { squares: number; tiny: number } {
  let squares = 0
  let tiny = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    squares += value * value
    if (Math.abs(value) < LEAST_NORMAL) tiny++
  }
  return { squares, tiny }
}
