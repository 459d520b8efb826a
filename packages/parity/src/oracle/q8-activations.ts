const BLOCK = 32

/**
 * As kernels on 8-bit activations see a row (ggml-quants.c `quantize_row_q8_0`): by blocks of 32 the largest magnitude becomes 127, the
 * rest are rounded to whole steps. `columns`: the length of a row; its last block may be shorter.
 */
export function roundedToQ8(x: Float64Array, columns: number): Float64Array {
  const rounded = new Float64Array(x.length)
  for (let row = 0; row < x.length; row += columns) {
    for (let at = row; at < row + columns; at += BLOCK) {
      const block = x.subarray(at, Math.min(at + BLOCK, row + columns))
      const step = block.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 127
      if (step > 0) for (const [i, value] of block.entries()) rounded[at + i] = Math.round(value / step) * step
    }
  }
  return rounded
}
