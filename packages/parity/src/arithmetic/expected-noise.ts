import type { Linear } from '@plumbline/reference/ops'

/** NMSE of a matrix's output row when each input is off by an error of its own, of that variance: `variances` [columns]. */
export function noiseThrough({ rows, columns, weight }: Linear, variances: Float64Array, output: Float64Array): number {
  let noise = 0
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) noise += weight[at]! ** 2 * variances[column]!
  }
  let size = 0
  for (const value of output) size += value * value
  return noise === 0 ? 0 : noise / size
}

/** Of rounding a row to 8 bits with one step for all of it, which is as coarse as kernels round: step^2 / 12. */
export function eightBitVariances(row: Float64Array): Float64Array {
  const largest = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return new Float64Array(row.length).fill((largest / 127) ** 2 / 12)
}

/** Of a float32 sum over the row, one term after the other: each term is off by a rounding of every sum that it is in. */
export function float32Variances(row: Float64Array): Float64Array {
  return row.map((value) => (value * 2 ** -24) ** 2 * row.length)
}
