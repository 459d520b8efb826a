import { dequantize, TENSOR_TYPES } from '@plumbline/reference'
import { applyLinear } from '@plumbline/reference/ops'
import { expect, test } from 'vitest'
import { halfSums, minimaOf, throughMinima } from './half-sums.ts'
import { roundToHalf } from './narrow-floats.ts'
import { roundingNamed, roundRows } from './rounding.ts'

const ROWS = 6
const COLUMNS = 96
const BLOCKS = COLUMNS / 32

/** F16 numbers from 2^-4 to 2 with any last bits. */
const half = (seed: number) => (((11 + (seed % 5)) << 10) | ((seed * 389) & 1023) | (seed % 3 === 0 ? 0x8000 : 0)) >>> 0
const value = (bits: number) => (bits & 0x8000 ? -1 : 1) * (1 + (bits & 1023) / 1024) * 2 ** (((bits >> 10) & 31) - 15)

/** What ggml_vec_dot_q4_1_q8_1 and ggml_vec_dot_q5_1_q8_1 (ggml-cpu/quants.c) compute, from the weights' bytes. */
function byDefinition(type: 'Q4_1' | 'Q5_1', bytes: Uint8Array, row: Float64Array): number[] {
  const { blockBytes } = TENSOR_TYPES[type]
  const nibblesAt = type === 'Q4_1' ? 4 : 8
  return Array.from({ length: ROWS }, (_, output) => {
    let dot = 0
    for (let block = 0; block < BLOCKS; block++) {
      const w = bytes.subarray((output * BLOCKS + block) * blockBytes, (output * BLOCKS + block + 1) * blockBytes)
      const [scale, minimum] = [value(w[0]! | (w[1]! << 8)), value(w[2]! | (w[3]! << 8))]
      const x = row.subarray(block * 32, (block + 1) * 32)
      const d = Math.fround(x.reduce((most, each) => Math.max(most, Math.abs(each)), 0) / 127)
      const q = Array.from(x, (each) => Math.round(each / d))
      const stored = q.map((_, i) => {
        const nibble = i < 16 ? w[nibblesAt + i]! & 15 : w[nibblesAt + i - 16]! >> 4
        return type === 'Q4_1' ? nibble : nibble | (((w[4 + (i >> 3)]! >> (i & 7)) & 1) << 4)
      })
      const product = q.reduce((sum, each, i) => sum + each * stored[i]!, 0)
      const s = roundToHalf(Math.fround(q.reduce((sum, each) => sum + each, 0) * d))
      dot += scale * roundToHalf(d) * product + minimum * s
    }
    return dot
  })
}

test.each(['Q4_1', 'Q5_1'] as const)('minima of %s are multiplied with sums in F16, as llama.cpp does', (type) => {
  const { blockBytes } = TENSOR_TYPES[type]
  const bytes = Uint8Array.from({ length: ROWS * BLOCKS * blockBytes }, (_, i) => (i * i * 31 + 7 * i + 5) & 255)
  for (let block = 0; block < ROWS * BLOCKS; block++) {
    new Uint16Array(bytes.buffer, block * blockBytes, 2).set([half(2 * block + 1), half(2 * block + 6)])
  }
  const row = Float64Array.from({ length: COLUMNS }, (_, i) => Math.fround(Math.sin(i * i + 1) * 10 ** (i % 3)))
  const rounding = roundingNamed('q8_1')
  const weight = dequantize(type, bytes, ROWS * COLUMNS)
  const rounded = applyLinear({ rows: ROWS, columns: COLUMNS, weight }, roundRows(rounding, row, COLUMNS), 1)
  const more = throughMinima(minimaOf(type, bytes), halfSums(rounding, row).excess)
  const expected = byDefinition(type, bytes, row)
  for (const [i, sum] of expected.entries()) {
    // The dequantised weights are float32.
    expect(Math.abs(rounded[i]! + more[i]! - sum)).toBeLessThan(1e-6 * Math.abs(sum) + 1e-4)
    expect(Math.abs(more[i]!)).toBeGreaterThan(1e-3)
  }
})
