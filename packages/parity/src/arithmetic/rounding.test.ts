import { describe, expect, test } from 'vitest'
import { roundToBrainFloat, roundToHalf } from './narrow-floats.ts'
import { Q8_BLOCKS, ROUNDINGS, roundingNamed, roundRows, SCHEMES, tiesOf } from './rounding.ts'

/** Of all magnitudes, none of them special. */
const awkward = (length: number) =>
  Float64Array.from({ length }, (_, i) => Math.fround(Math.sin(i * i + 1) * 10 ** ((i % 7) - 3)))

/** By the definition of ggml-quants.c `quantize_row_q8_0_ref`, in the float32 arithmetic that it is written in. */
function byDefinition(row: Float64Array, block: number, stepIsHalf: boolean): number[] {
  const rounded: number[] = []
  for (let from = 0; from < row.length; from += block) {
    const values = Array.from(row.subarray(from, from + block))
    const d = Math.fround(Math.max(...values.map(Math.abs)) / 127)
    const kept = stepIsHalf ? roundToHalf(d) : d
    // + 0: of a zero, the sign says nothing.
    rounded.push(...values.map((x) => Math.round(Math.fround(x / d)) * kept + 0))
  }
  return rounded
}

describe('rounding of rows', () => {
  test.each([
    ['q8', 32, false],
    ['q8-16', 16, false],
    ['q8_0', 32, true],
    ['q8_1', 32, true],
    ['q8_k', 256, false],
  ] as const)('%s has blocks of %d', (name, block, stepIsHalf) => {
    const x = awkward(2 * 512)
    const expected = [x.subarray(0, 512), x.subarray(512)].flatMap((row) => byDefinition(row, block, stepIsHalf))
    expect(Array.from(roundRows(roundingNamed(name), x, 512), (value) => value + 0)).toEqual(expected)
  })

  test('the last block of a row may be shorter, a block of zeros stays one, and no block reaches into the next row', () => {
    const rows = new Float64Array(2 * 40)
    rows.fill(127, 0, 3)
    rows[39] = 127
    rows[40] = -254
    rows[41] = 3
    const rounded = roundRows(Q8_BLOCKS, rows, 40)
    expect(Array.from(rounded.subarray(0, 4))).toEqual([127, 127, 127, 0])
    expect([rounded[39], rounded[40], rounded[41], rounded[42]]).toEqual([127, -254, 4, 0])
  })

  test('none leaves rows as they are, and every other one is its own fixed point', () => {
    const x = awkward(512)
    for (const rounding of ROUNDINGS) {
      const once = roundRows(rounding, x, 256)
      // Steps in F16 are a little larger or smaller than a 127th of the largest value.
      if (/^q8_[01]$/.test(rounding.name)) continue
      const again = roundRows(rounding, once, 256)
      for (const [i, value] of again.entries())
        expect(Math.abs(value - once[i]!)).toBeLessThan(1e-6 * Math.abs(value) + 1e-30)
    }
    expect(roundRows(ROUNDINGS[0]!, x, 256)).toEqual(x)
  })

  test('halves of a step go to the even one, and are told as ties', () => {
    const row = Float64Array.from([127, 0.5, 1.5, 2.5, -2.5, 3.49, 2.50001])
    expect(Array.from(roundRows(Q8_BLOCKS, row, row.length))).toEqual([127, 0, 2, 2, -2, 3, 3])
    expect(tiesOf(Q8_BLOCKS, row)).toEqual([
      { index: 1, change: 1 },
      { index: 2, change: -1 },
      { index: 3, change: 1 },
      { index: 4, change: -1 },
      { index: 6, change: -1 },
    ])
  })
})

test.each([
  [roundToHalf, 11, 2 ** -24],
  [roundToBrainFloat, 8, 0],
] as const)('%o goes to the nearest number of that many bits: %d', (round, bits, least) => {
  for (const value of awkward(2000)) {
    const exponent = Math.floor(Math.log2(Math.abs(value)))
    const step = Math.max(2 ** (exponent - bits + 1), least)
    expect(round(value) / step).toBe(Math.round(round(value) / step))
    expect(Math.abs(round(value) - value)).toBeLessThanOrEqual(step / 2)
  }
})

test('each type of weights has the rounding that ggml multiplies it with', () => {
  const ofGgml = SCHEMES.at(-1)!
  const expected = {
    F32: 'none',
    F16: 'f16',
    BF16: 'bf16',
    Q8_0: 'q8_0',
    Q5_0: 'q8_0',
    Q4_1: 'q8_1',
    Q5_1: 'q8_1',
    IQ4_NL: 'q8_0',
    Q4_K: 'q8_k',
    Q6_K: 'q8_k',
  }
  for (const [weights, name] of Object.entries(expected)) expect(ofGgml.of(weights).name, weights).toBe(name)
})
