import type { Linear } from './weights.ts'

/**
 * y = W x + b for `count` positions at once: x [count, columns], result [count, rows].
 * Each output is one float64 sum in the order of the columns, whatever the grouping: so a position's values do not depend on
 * which positions it is computed with. The grouping is for speed alone: a weight row stays in the cache while all positions use
 * it, and eight sums advance side by side.
 */
export function applyLinear(linear: Linear, x: Float64Array, count: number): Float64Array {
  const { rows, columns, weight, bias } = linear
  const y = new Float64Array(count * rows)
  let position = 0
  for (; position + 4 <= count; position += 4) {
    // Two rows by four positions.
    for (let row = 0; row < rows; row += 2) multiplyTile(weight, rows, columns, row, x, position, y)
  }
  for (; position < count; position++) multiplyVector(weight, rows, columns, x, position, y)
  if (bias !== undefined) for (let i = 0; i < y.length; i++) y[i]! += bias[i % rows]!
  return y
}

function multiplyTile(
  weight: Float32Array,
  rows: number,
  columns: number,
  row: number,
  x: Float64Array,
  position: number,
  y: Float64Array,
): void {
  const x0 = position * columns
  const x1 = x0 + columns
  const x2 = x1 + columns
  const x3 = x2 + columns
  const w0 = row * columns
  // Of an odd number of rows the last is computed twice, and written to the same place.
  const lastRow = Math.min(row + 1, rows - 1)
  const w1 = lastRow * columns
  let a0 = 0
  let a1 = 0
  let a2 = 0
  let a3 = 0
  let b0 = 0
  let b1 = 0
  let b2 = 0
  let b3 = 0
  for (let k = 0; k < columns; k++) {
    const a = weight[w0 + k]!
    const b = weight[w1 + k]!
    const p0 = x[x0 + k]!
    const p1 = x[x1 + k]!
    const p2 = x[x2 + k]!
    const p3 = x[x3 + k]!
    a0 += a * p0
    a1 += a * p1
    a2 += a * p2
    a3 += a * p3
    b0 += b * p0
    b1 += b * p1
    b2 += b * p2
    b3 += b * p3
  }
  const out = position * rows
  y[out + row] = a0
  y[out + rows + row] = a1
  y[out + 2 * rows + row] = a2
  y[out + 3 * rows + row] = a3
  y[out + lastRow] = b0
  y[out + rows + lastRow] = b1
  y[out + 2 * rows + lastRow] = b2
  y[out + 3 * rows + lastRow] = b3
}

/** One position, four rows at a time. */
function multiplyVector(
  weight: Float32Array,
  rows: number,
  columns: number,
  x: Float64Array,
  position: number,
  y: Float64Array,
): void {
  const at = position * columns
  const out = position * rows
  for (let row = 0; row < rows; row += 4) {
    const w0 = row * columns
    const w1 = Math.min(row + 1, rows - 1) * columns
    const w2 = Math.min(row + 2, rows - 1) * columns
    const w3 = Math.min(row + 3, rows - 1) * columns
    let a0 = 0
    let a1 = 0
    let a2 = 0
    let a3 = 0
    for (let k = 0; k < columns; k++) {
      const p = x[at + k]!
      a0 += weight[w0 + k]! * p
      a1 += weight[w1 + k]! * p
      a2 += weight[w2 + k]! * p
      a3 += weight[w3 + k]! * p
    }
    const sums = [a0, a1, a2, a3]
    for (let i = 0; i < 4 && row + i < rows; i++) y[out + row + i] = sums[i]!
  }
}
