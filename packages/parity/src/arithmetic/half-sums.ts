import { dequantize, TENSOR_TYPES, type TensorType } from '@plumbline/reference'
import { roundToHalf } from './narrow-floats.ts'
import { Q8_BLOCKS, type Rounding, roundRows } from './rounding.ts'

/** Values of a block, of weights and of what they are multiplied with. */
const BLOCK = 32

/** The minimum of each block of a tensor, in order: the second F16 of the block. */
export function minimaOf(weights: TensorType & ('Q4_1' | 'Q5_1'), bytes: Uint8Array): Float32Array {
  const { blockBytes } = TENSOR_TYPES[weights]
  const blocks = bytes.length / blockBytes
  const halves = new Uint8Array(2 * blocks)
  for (let block = 0; block < blocks; block++) {
    halves.set(bytes.subarray(block * blockBytes + 2, block * blockBytes + 4), 2 * block)
  }
  return dequantize('F16', halves, blocks)
}

/**
 * Of each block of a row, the sum that Q8_1 keeps, step * (sum of whole steps) rounded to F16 with the step in float32 (ggml-quants.c
 * `quantize_row_q8_1_ref`), and by how much it is more than that of the rounded values, whose step is in F16.
 */
export function halfSums(rounding: Rounding, row: Float64Array): { sums: Float64Array; excess: Float64Array } {
  const blocks = Math.ceil(row.length / BLOCK)
  const [sums, excess] = [new Float64Array(blocks), new Float64Array(blocks)]
  const [whole, kept] = [Q8_BLOCKS, rounding].map((each) => roundRows(each, row, row.length))
  for (let block = 0; block < blocks; block++) {
    const [inFloat32, inHalf] = [whole!, kept!].map((values) =>
      values.subarray(block * BLOCK, (block + 1) * BLOCK).reduce((sum, value) => sum + value, 0),
    )
    sums[block] = roundToHalf(Math.fround(inFloat32!))
    excess[block] = sums[block]! - inHalf!
  }
  return { sums, excess }
}

/** Sums over a row's blocks of minimum times `ofBlock`: [rows of the matrix]. */
export function throughMinima(minima: Float32Array, ofBlock: Float64Array): Float64Array {
  const blocks = ofBlock.length
  return Float64Array.from({ length: minima.length / blocks }, (_, row) => {
    let sum = 0
    for (let block = 0; block < blocks; block++) sum += minima[row * blocks + block]! * ofBlock[block]!
    return sum
  })
}
