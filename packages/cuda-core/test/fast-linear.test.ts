import { committedAsset } from '@plumbline/protocol/testing'
import { dequantize, readSafetensors, TENSOR_TYPES, type TensorType } from '@plumbline/reference'
import { describe, expect, test } from 'vitest'
import { cpuVariants, runOp } from '../src/testing.ts'
import { dotError, randomWeight } from './linear.ts'
import { randomFloats } from './random.ts'

/**
 * `linear` in `fast`, on packed weights, in every variant that this machine can run. Against the float64 op on the activations as they are
 * quantised, what is left is the rounding of float32 sums; against the activations as they came it is the quantisation's too: of blocks of
 * 16 uniform numbers, at most (1/127)^2 / 12 of a mean square of 1/3, which is 1.6e-5.
 */
const ROUNDING_BOUND = 1e-12
const QUANTISATION_BOUND = 2e-5

const variants = cpuVariants()
const vectors = readSafetensors(committedAsset('quant-vectors/quant-vectors.safetensors'))
const types = Object.keys(TENSOR_TYPES) as TensorType[]
const isFloat = (type: TensorType) => TENSOR_TYPES[type].blockLength === 1
const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length)

/** Sixteen at a time: the largest magnitude becomes 127, the others the nearest integers, ties to even. All in float32. */
function quantised(input: Float32Array): Float32Array {
  const out = new Float32Array(input.length)
  for (let begin = 0; begin < input.length; begin += 16) {
    const block = input.subarray(begin, begin + 16)
    const most = block.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0)
    if (most === 0) continue
    const inverse = Math.fround(127 / most)
    const scale = Math.fround(most * Math.fround(1 / 127))
    // Adding 1.5 * 2^23 leaves float32 no bits for a fraction.
    const nearest = (x: number) => Math.fround(Math.fround(x * inverse) + 12582912) - 12582912
    block.forEach((x, i) => {
      out[begin + i] = scale * nearest(x)
    })
  }
  return out
}

function run(
  type: TensorType,
  variant: string,
  threads: number,
  weight: Uint8Array,
  width: number,
  input: Float32Array,
) {
  return runOp({ op: 'linear', precision: 'fast', type, variant, threads, weight, width, input })
}

describe.each(variants)('fast linear: %s', (variant) => {
  const widths = (type: TensorType) =>
    isFloat(type) ? [1, 7, 16, 33, 172] : [1, 3, 7].map((n) => n * TENSOR_TYPES[type].blockLength)
  const cases = types.flatMap((type) => widths(type).map((width) => [type, width] as const))

  test.each(cases)('%s, width %i: outputs 1, 5, 64, 97 by 1, 2, 5, 6, 17 positions', (type, width) => {
    for (const rows of [1, 5, 64, 97]) {
      const weight = randomWeight(vectors, type, rows, width, rows)
      const bias = randomFloats(rows, 3)
      const values = dequantize(type, weight, rows * width)
      for (const positions of [1, 2, 5, 6, 17]) {
        const input = randomFloats(positions * width, 2)
        for (const withBias of [{}, { bias }]) {
          const call = { op: 'linear', precision: 'fast', type, variant, weight, width, input, ...withBias } as const
          const result = runOp({ ...call, threads: 1 })
          const linear = { rows, columns: width, weight: values, ...withBias }
          expect(dotError(result, linear, isFloat(type) ? input : quantised(input))).toBeLessThanOrEqual(ROUNDING_BOUND)
          expect(bitsOf(runOp({ ...call, threads: 3 }))).toEqual(bitsOf(result))
        }
      }
    }
  })

  test.each(types)('%s: not further from the activations as they came than their quantisation', (type) => {
    const [rows, width, positions] = [64, 1792, 4]
    const weight = randomWeight(vectors, type, rows, width, 9)
    const input = randomFloats(positions * width, 10)
    const linear = { rows, columns: width, weight: dequantize(type, weight, rows * width) }
    const result = run(type, variant, 1, weight, width, input)
    expect(dotError(result, linear, input)).toBeLessThanOrEqual(isFloat(type) ? ROUNDING_BOUND : QUANTISATION_BOUND)
  })

  test.each(types)('%s: a position has the same bits whichever others it is computed with', (type) => {
    const width = isFloat(type) ? 172 : 2 * TENSOR_TYPES[type].blockLength
    const weight = randomWeight(vectors, type, 37, width, 5)
    const input = randomFloats(19 * width, 6)
    const together = bitsOf(run(type, variant, 2, weight, width, input))
    for (let position = 0; position < 19; position++) {
      const alone = run(type, variant, 1, weight, width, input.slice(position * width, (position + 1) * width))
      expect(bitsOf(alone)).toEqual(together.subarray(position * 37, (position + 1) * 37))
    }
  })

  test.each(['Q8_0', 'Q4_K', 'F32'] as const)('%s: what is not a number stays so, and is nobody else’s', (type) => {
    const width = 512
    const weight = randomWeight(vectors, type, 20, width, 5)
    const input = randomFloats(3 * width, 6)
    const clean = run(type, variant, 1, weight, width, input)
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const spoilt = input.slice()
      spoilt[width + 70] = bad
      const result = run(type, variant, 1, weight, width, spoilt)
      expect(result.subarray(20, 40).every((x) => !Number.isFinite(x))).toBe(true)
      for (const position of [0, 2]) {
        const part = [position * 20, position * 20 + 20] as const
        expect(bitsOf(result).subarray(...part)).toEqual(bitsOf(clean).subarray(...part))
      }
    }
  })

  test('activations that are zero, and too small to be divided by', () => {
    const width = 64
    const weight = randomWeight(vectors, 'Q8_0', 16, width, 5)
    for (const value of [0, 1e-40, -1e-40]) {
      const result = run('Q8_0', variant, 1, weight, width, new Float32Array(width).fill(value))
      for (const x of result) expect(Math.abs(x)).toBeLessThan(1e-28)
    }
  })
})
