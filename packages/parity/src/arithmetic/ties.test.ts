import { expect, test } from 'vitest'
import { roundingNamed, roundRows, tiesOf } from './rounding.ts'
import { errorBesideTies } from './ties.ts'

test('of two ties only the one that went the other way is turned, though turning the first explains a little, too', () => {
  const rounding = roundingNamed('q8-16')
  const input = new Float64Array(16)
  input.set([127, 3.5, 5.5])
  expect(tiesOf(rounding, input).map(({ index }) => index)).toEqual([1, 2])
  // Columns 1 and 2 point much the same way.
  const weight = new Float32Array(3 * 16)
  for (const [row, values] of [
    [1, 0.3, 0.2],
    [0.5, 0.4, 0.6],
    [0.1, 0.2, 0.1],
  ].entries())
    weight.set(values, row * 16)
  const linear = { rows: 3, columns: 16, weight }
  const times = (x: Float64Array) =>
    Float64Array.from({ length: 3 }, (_, row) => x.reduce((sum, value, i) => sum + value * weight[row * 16 + i]!, 0))
  const rounded = roundRows(rounding, input, 16)
  const other = rounded.slice()
  other[2] = 5
  expect(rounded[2]).toBe(6)
  const errorOf = (recorded: Float64Array) => errorBesideTies(linear, rounding, input, recorded, times(rounded))
  expect(errorOf(times(other))).toBeLessThan(1e-25)
  other[1] = 3
  expect(errorOf(times(other))).toBeLessThan(1e-25)
  // What is on no tie is no tie's doing.
  other[0] = 126
  expect(errorOf(times(other))).toBeGreaterThan(1e-5)
})
