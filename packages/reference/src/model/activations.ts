/** What a matrix of quantised weights reads in the place of its inputs: rows of `columns` values, all of them new. */
export type RoundActivations = (x: Float64Array, columns: number) => Float64Array

/** A block whose largest magnitude is smaller becomes zeros: in float32, `steps` over it might be infinite. */
const LEAST = 1e-30
/** Adding and taking it away again leaves the nearest whole number, ties to even: 1.5 * 2^52. */
const TO_WHOLE = 6755399441055744

/**
 * Activations as signed integers of up to `steps`, with a scale for each `block` values of a row (its last block may be shorter): a
 * value x becomes q * scale, where scale is the block's largest magnitude / steps, and q is x * (steps / largest magnitude), rounded to the
 * nearest, ties to even. x, both factors and the product are float32.
 */
export function roundActivations(steps: number, block: number): RoundActivations {
  return (x, columns) => {
    const rounded = new Float64Array(x.length)
    for (let row = 0; row < x.length; row += columns) {
      for (let from = row; from < row + columns; from += block) {
        const to = Math.min(from + block, row + columns)
        let largest = 0
        for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(Math.fround(x[i]!)))
        if (largest < LEAST) continue
        const inverse = Math.fround(steps / largest)
        const scale = Math.fround(largest / steps)
        for (let i = from; i < to; i++) {
          rounded[i] = (Math.fround(Math.fround(x[i]!) * inverse) + TO_WHOLE - TO_WHOLE) * scale
        }
      }
    }
    return rounded
  }
}

/** What `fast` states of a CPU (ADR 17): int8, a scale for 16 values. */
export const Q8_16: RoundActivations = roundActivations(127, 16)
