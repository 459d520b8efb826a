import { nmse } from '@plumbline/reference'
import { rmsNorm } from '@plumbline/reference/ops'
import { describe, expect, test } from 'vitest'
import { cpuVariants, type OpCall, runOp } from '../src/testing.ts'
import { attentionCase, attentionCases, HEAD_SHAPES } from './attention-case.ts'
import { randomFloats } from './random.ts'

/**
 * The ops of `fast` that have kernels of their own (linear: fast-linear.test.ts), each variant by itself: a variant rounds where its
 * machine does, but threads and neighbours change no bit. All sums are of float32, whose rounding is 2^-24 a value, squared 4e-15.
 */
const BOUND = 1e-13
/** A score of 10 is rounded to 2^-21, and e^x makes a relative error of that: its square is 2e-13. */
const SOFTMAX_BOUND = 1e-12

const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length)
const meanSquare = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x ** 2, 0) / values.length
/** Against the values that are averaged: an average of a few may be as good as zero, and cannot be right by its own measure then. */
const averagingError = (result: Float32Array, expected: Float64Array, values: Float32Array) =>
  meanSquare(Float64Array.from(result, (x, i) => x - expected[i]!)) / meanSquare(values)
const float64 = (values: Float32Array) => Float64Array.from(values)

describe.each(cpuVariants())('fast ops: %s', (variant) => {
  function run(call: OpCall): Float32Array {
    const [first, ...others] = [1, 2, 3, 8].map((threads) => runOp({ ...call, precision: 'fast', variant, threads }))
    for (const other of others) expect(bitsOf(other)).toEqual(bitsOf(first!))
    return first!
  }

  test.each([1, 5, 16, 31, 64, 172, 577])(`rms_norm of %i values, NMSE <= ${BOUND}`, (width) => {
    for (const [rows, scale] of [
      [1, 1],
      [3, 1e-4],
      [40, 1e4],
    ] as const) {
      const input = randomFloats(rows * width, 1).map((x) => x * scale)
      const gain = randomFloats(width, 2)
      const result = run({ op: 'rms_norm', input, gain, epsilon: 1e-5 })
      expect(nmse(result, rmsNorm(float64(input), gain, Math.fround(1e-5)))).toBeLessThanOrEqual(BOUND)
    }
  })

  const shapes = [...HEAD_SHAPES, { heads: 14, kvHeads: 2, keyLength: 64, valueLength: 64 }]
  const cases = attentionCases(shapes, [1, 15, 17, 63, 64, 65, 130, 300])

  test.each(cases)(
    `attention, heads/KV heads/key/value %s over %i positions: one query, three, and all, error <= ${SOFTMAX_BOUND}`,
    (_name, positions, shape) => {
      const { queries: all, keys, values, expected } = attentionCase(shape, positions)
      const outputs = shape.heads * shape.valueLength
      let bits: Uint32Array | undefined
      for (const count of [positions, Math.min(3, positions), 1]) {
        const queries = all.slice((positions - count) * shape.heads * shape.keyLength)
        const result = run({ op: 'attention', queries, keys, values, ...shape })
        const error = averagingError(result, expected.subarray((positions - count) * outputs), values)
        expect(error).toBeLessThanOrEqual(SOFTMAX_BOUND)
        bits ??= bitsOf(result)
        // The last row is the same, to the bit, however many come with it.
        expect(bitsOf(result).slice(-outputs)).toEqual(bits.slice(-outputs))
      }
    },
  )

  const single = { heads: 1, kvHeads: 1, keyLength: 1, valueLength: 1 }

  test('attention: scores far apart neither overflow nor vanish, whichever block has the largest', () => {
    for (const [at, positions] of [
      [0, 4],
      [2, 4],
      [3, 200],
      [150, 200],
    ] as const) {
      const keys = new Float32Array(positions).fill(-1000)
      const values = Float32Array.from({ length: positions }, (_, i) => i)
      keys[at] = 1000
      keys[at + 1] = 999
      const result = run({ op: 'attention', queries: Float32Array.of(1), keys, values, ...single })
      const weight = Math.exp(-1)
      expect(result[0]! / ((at + (at + 1) * weight) / (1 + weight))).toBeCloseTo(1, 5)
    }
  })

  test('attention: a NaN reaches the rows that see it, and no row before', () => {
    const positions = 140
    for (const [name, at] of [
      ['keys', 70],
      ['values', 70],
      ['values', 127],
    ] as const) {
      const inputs = { keys: new Float32Array(positions).fill(1), values: new Float32Array(positions).fill(1) }
      inputs[name][at] = Number.NaN
      const result = run({ op: 'attention', queries: new Float32Array(positions).fill(1), ...inputs, ...single })
      expect([...result].findIndex(Number.isNaN)).toBe(at)
      expect([...result.subarray(at)].every(Number.isNaN)).toBe(true)
    }
  })
})
