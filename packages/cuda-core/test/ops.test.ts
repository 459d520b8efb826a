import { committedAsset } from '@plumbline/protocol/testing'
import { dequantize, nmse, readSafetensors, TENSOR_TYPES, type TensorType } from '@plumbline/reference'
import { rmsNorm, rope, ropeFrequencies, swiglu } from '@plumbline/reference/ops'
import { describe, expect, test } from 'vitest'
import { cpuVariants, type OpCall, runOp } from '../src/testing.ts'
import { attentionCase, attentionCases, HEAD_SHAPES } from './attention-case.ts'
import { dotError, randomWeight } from './linear.ts'
import { randomFloats } from './random.ts'

/**
 * Each op of the CPU backend against the float64 one of `reference`, in every variant of the kernels that this machine can run.
 * The inputs are float32 in both, so that what is left is the op's own rounding: of the order of 2^-24 a value, squared 4e-15. The bound
 * leaves room for the sums.
 */
const BOUND = 1e-13

/** A score of 10 is rounded to 2^-21, and e^x makes a relative error of that: its square is 2e-13. */
const SOFTMAX_BOUND = 1e-12

const variants = cpuVariants()
const vectors = readSafetensors(committedAsset('quant-vectors/quant-vectors.safetensors'))
const types = Object.keys(TENSOR_TYPES) as TensorType[]
const quantised = types.filter((type) => type !== 'F32')
const bitsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length)

/** Runs the op in every variant, with one thread and with three: all must give the same bits, which are returned. */
function runEverywhere(call: OpCall): Float32Array {
  const results = variants.flatMap((variant) => [1, 3].map((threads) => runOp({ ...call, variant, threads })))
  for (const result of results.slice(1)) expect(bitsOf(result)).toEqual(bitsOf(results[0]!))
  return results[0]!
}

const float64 = (values: Float32Array) => Float64Array.from(values)

test('every variant that this machine can run is tested, the portable one always', () => {
  expect(variants[0]).toBe('portable')
  expect(new Set(variants).size).toBe(variants.length)
})

describe('dequantisation (the embedding op)', () => {
  test.each(quantised)('%s: bit for bit what gguf-py makes of the blocks', (type) => {
    const weight = vectors.get(`${type}.blocks`)!.values as Uint8Array
    const { shape, values } = vectors.get(`${type}.values`)!
    const [rows, width] = shape as [number, number]
    const tokenIds = Uint32Array.from({ length: rows }, (_, row) => row)
    const result = runEverywhere({ op: 'embedding', type, weight, width, tokenIds })
    expect(bitsOf(result)).toEqual(bitsOf(values as Float32Array))
  })

  test.each([1, 7, 16, 33])('F32 rows of %i, picked by id', (width) => {
    const table = randomFloats(5 * width, 1)
    const tokenIds = Uint32Array.of(4, 0, 4)
    const result = runEverywhere({
      op: 'embedding',
      type: 'F32',
      weight: new Uint8Array(table.buffer),
      width,
      tokenIds,
    })
    expect([...result]).toEqual([...tokenIds].flatMap((id) => [...table.subarray(id * width, (id + 1) * width)]))
  })

  test.each(['F16', 'BF16'] as const)('%s rows that end inside a vector', (type) => {
    const width = 21
    const weight = (vectors.get(`${type}.blocks`)!.values as Uint8Array).slice(0, 3 * width * 2)
    const result = runEverywhere({ op: 'embedding', type, weight, width, tokenIds: Uint32Array.of(0, 1, 2) })
    expect(bitsOf(result)).toEqual(bitsOf(dequantize(type, weight, 3 * width)))
  })
})

describe('linear', () => {
  const widths = (type: TensorType) =>
    TENSOR_TYPES[type].blockLength === 1 ? [1, 7, 16, 33, 172] : [1, 3].map((n) => n * TENSOR_TYPES[type].blockLength)
  const cases = types.flatMap((type) => widths(type).map((width) => [type, width] as const))

  test.each(cases)(`%s, width %i: outputs 1, 5, 64, 97 by 1, 2, 5, 17 positions, error <= ${BOUND}`, (type, width) => {
    for (const rows of [1, 5, 64, 97]) {
      const weight = randomWeight(vectors, type, rows, width, rows)
      const bias = randomFloats(rows, 3)
      const values = dequantize(type, weight, rows * width)
      for (const positions of [1, 2, 5, 17]) {
        const input = randomFloats(positions * width, 2)
        for (const withBias of [{}, { bias }]) {
          const result = runEverywhere({ op: 'linear', type, weight, width, input, ...withBias })
          const linear = { rows, columns: width, weight: values, ...withBias }
          expect(dotError(result, linear, input)).toBeLessThanOrEqual(BOUND)
        }
      }
    }
  })

  test.each(types)('%s: a position has the same bits whichever others it is computed with', (type) => {
    const width = TENSOR_TYPES[type].blockLength === 1 ? 172 : 2 * TENSOR_TYPES[type].blockLength
    const weight = randomWeight(vectors, type, 37, width, 5)
    const input = randomFloats(19 * width, 6)
    const together = bitsOf(runEverywhere({ op: 'linear', type, weight, width, input }))
    for (let position = 0; position < 19; position++) {
      const alone = input.slice(position * width, (position + 1) * width)
      const result = runEverywhere({ op: 'linear', type, weight, width, input: alone })
      expect(bitsOf(result)).toEqual(together.subarray(position * 37, (position + 1) * 37))
    }
  })
})

describe('rms_norm', () => {
  test.each([1, 5, 16, 64, 172, 577])(`rows of %i, NMSE <= ${BOUND}`, (width) => {
    for (const [rows, scale] of [
      [1, 1],
      [3, 1e-4],
      [40, 1e4],
    ] as const) {
      const input = randomFloats(rows * width, 1).map((x) => x * scale)
      const gain = randomFloats(width, 2)
      const result = runEverywhere({ op: 'rms_norm', input, gain, epsilon: 1e-5 })
      const expected = rmsNorm(float64(input), gain, Math.fround(1e-5))
      expect(nmse(result, expected)).toBeLessThanOrEqual(BOUND)
    }
  })

  test('epsilon counts where the values are small', () => {
    const input = new Float32Array(8).fill(1e-4)
    const result = runEverywhere({ op: 'rms_norm', input, gain: new Float32Array(8).fill(1), epsilon: 1e-6 })
    expect(nmse(result, rmsNorm(float64(input), new Float32Array(8).fill(1), Math.fround(1e-6)))).toBeLessThanOrEqual(
      BOUND,
    )
    expect(result[0]).toBeLessThan(0.2)
  })
})

describe('rope', () => {
  const shapes = [
    [1, 2, 2],
    [3, 8, 8],
    [2, 48, 48],
    [9, 64, 64],
    [2, 64, 20],
  ] as const
  const cases = (['neighbours', 'halves'] as const).flatMap((pairing) =>
    shapes.flatMap((shape) => [0, 1, 8191].map((position) => [pairing, ...shape, position] as const)),
  )

  test.each(cases)(
    `%s, %i heads of %i with %i rotated, from position %i, NMSE <= ${BOUND}`,
    (pairing, heads, headLength, ropeDimensions, firstPosition) => {
      const input = randomFloats(5 * heads * headLength, 7)
      const config = {
        keyLength: headLength,
        ropePairing: pairing,
        ropeDimensions,
        ropeTheta: 1e4,
        ropeScalingFactor: 1,
      }
      const frequencies = ropeFrequencies(config as Parameters<typeof ropeFrequencies>[0])
      const expected = rope(float64(input), config as Parameters<typeof rope>[1], frequencies, heads, firstPosition)
      const result = runEverywhere({
        op: 'rope',
        input,
        heads,
        headLength,
        ropeDimensions,
        ropeTheta: 1e4,
        pairing,
        firstPosition,
      })
      expect(nmse(result, expected)).toBeLessThanOrEqual(BOUND)
    },
  )

  test('the two pairings differ', () => {
    const call = { op: 'rope', heads: 1, headLength: 8, ropeDimensions: 8, ropeTheta: 1e4, firstPosition: 3 } as const
    const input = randomFloats(8, 7)
    const neighbours = runOp({ ...call, input, pairing: 'neighbours' })
    expect(nmse(runOp({ ...call, input, pairing: 'halves' }), neighbours)).toBeGreaterThan(1e-3)
  })
})

describe('attention', () => {
  const cases = attentionCases(HEAD_SHAPES, [1, 15, 16, 17, 100, 300])

  test.each(cases)(
    `heads/KV heads/key/value %s over %i positions: one query, three, and all, NMSE <= ${SOFTMAX_BOUND}`,
    (_name, positions, shape) => {
      const { queries: all, keys, values, expected } = attentionCase(shape, positions)
      const outputs = shape.heads * shape.valueLength
      let bits: Uint32Array | undefined
      for (const count of [positions, Math.min(3, positions), 1]) {
        const queries = all.slice((positions - count) * shape.heads * shape.keyLength)
        const result = runEverywhere({ op: 'attention', queries, keys, values, ...shape })
        expect(nmse(result, expected.subarray((positions - count) * outputs))).toBeLessThanOrEqual(SOFTMAX_BOUND)
        bits ??= bitsOf(result)
        // The last row is the same, to the bit, however many come with it.
        expect(bitsOf(result).slice(-outputs)).toEqual(bits.slice(-outputs))
      }
    },
  )

  test('scores far apart neither overflow nor vanish', () => {
    const shape = { heads: 1, kvHeads: 1, keyLength: 1, valueLength: 1 }
    const keys = Float32Array.of(-1000, 0, 1000, 999)
    const values = Float32Array.of(1, 2, 3, 4)
    const result = runEverywhere({ op: 'attention', queries: Float32Array.of(1), keys, values, ...shape })
    const weight = Math.exp(-1)
    expect(result[0]).toBeCloseTo((3 + 4 * weight) / (1 + weight), 6)
  })
})

describe('swiglu', () => {
  test.each([1, 16, 33, 768])(`rows of %i, NMSE <= ${BOUND}`, (width) => {
    for (const rows of [1, 7]) {
      const gate = randomFloats(rows * width, 1).map((x) => 12 * x)
      const up = randomFloats(rows * width, 2)
      const result = runEverywhere({ op: 'swiglu', gate, up, width })
      expect(nmse(result, swiglu(float64(gate), float64(up)))).toBeLessThanOrEqual(BOUND)
    }
  })

  test('large gates pass through or vanish; NaN stays NaN', () => {
    const gate = Float32Array.of(1e4, -1e4, 88, -88, 0, Number.NaN)
    const result = runEverywhere({ op: 'swiglu', gate, up: new Float32Array(6).fill(1), width: 6 })
    expect([...result.subarray(0, 1), ...result.subarray(2, 3), ...result.subarray(4)]).toEqual([
      1e4,
      88,
      0,
      Number.NaN,
    ])
    expect(Math.abs(result[1]!)).toBeLessThan(1e-30)
    expect(Math.abs(result[3]!)).toBeLessThan(1e-30)
  })
})

describe('add', () => {
  test.each([1, 16, 37])('rows of %i: the float32 sum, exactly', (width) => {
    const input = randomFloats(3 * width, 1)
    const residual = randomFloats(3 * width, 2)
    const result = runEverywhere({ op: 'add', input, residual, width })
    expect([...result]).toEqual([...input].map((x, i) => Math.fround(x + residual[i]!)))
  })
})
