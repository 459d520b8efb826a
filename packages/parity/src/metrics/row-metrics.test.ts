import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareRow, SUM, SUMS } from './row-metrics.ts'

function sumsOf(x: readonly number[], y: readonly number[], Type: typeof Float32Array | typeof Float64Array) {
  const sums = new Float64Array(SUMS)
  // A row in the middle of a block, as rows are.
  compareRow(Type.from([9, ...x, 9]).subarray(1, -1), Type.from([7, ...y, 7]).subarray(1, -1), sums)
  return sums
}

test.each([Float32Array, Float64Array])('sums of a row against their definitions, %o', (Type) => {
  const x = Array.from({ length: 37 }, (_, i) => Math.fround(Math.sin(i) * 3))
  const y = Array.from({ length: 37 }, (_, i) => Math.fround(Math.sin(i) * 3 + Math.cos(5 * i) * 1e-3))
  const sums = sumsOf(x, y, Type)
  const differences = x.map((value, i) => Math.abs(value - y[i]!))
  const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
  const close = (at: number, value: number) => expect(sums[at]! / value).toBeCloseTo(1, 12)
  close(SUM.maxDifference, Math.max(...differences))
  close(SUM.sumDifference, total(differences))
  close(SUM.squaredDifference, total(differences.map((value) => value ** 2)))
  close(SUM.product, total(x.map((value, i) => value * y[i]!)))
  close(SUM.candidateSquares, total(x.map((value) => value ** 2)))
  close(SUM.referenceSquares, total(y.map((value) => value ** 2)))
  expect(sums[SUM.candidateTiny]).toBe(1)
  expect(sums[SUM.referenceTiny]).toBe(0)
})

test.each([
  [1, 1 + 2 ** -23, 1],
  [1, 1 - 2 ** -24, 1],
  [0, -0, 1],
  [2 ** -149, -(2 ** -149), 3],
  [1, 2, 2 ** 23],
  [-1, -1, 0],
])('%d and %d are %d steps of F32 apart', (a, b, steps) => {
  expect(sumsOf([a], [b], Float32Array)[SUM.ulp]).toBe(steps)
  expect(sumsOf([b], [a], Float32Array)[SUM.ulp]).toBe(steps)
})

test.each([NaN, Infinity, -Infinity])('a %d on either side never looks like no difference', (strange) => {
  for (const [x, y] of [
    [
      [1, strange, 2],
      [1, 1, 2],
    ],
    [
      [1, 1, 2],
      [1, strange, 2],
    ],
    [
      [1, strange, 2],
      [1, strange, 2],
    ],
  ] as const) {
    const sums = sumsOf(x, y, Float32Array)
    expect(sums[SUM.squaredDifference]! <= 1e30).toBe(false)
    expect(sums[SUM.maxDifference]! <= 1e30).toBe(false)
  }
})

test('the most steps of a row are those of its values one by one, however far apart they are', () => {
  const value = fc.oneof(
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0, -0, 1, 1 + 2 ** -23, 2 ** -149),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 30 }), (pairs) => {
      const x = pairs.map(([left]) => left)
      const y = pairs.map(([, right]) => right)
      const each = pairs.map(([left, right]) => sumsOf([left], [right], Float32Array)[SUM.ulp]!)
      expect(sumsOf(x, y, Float32Array)[SUM.ulp]).toBe(Math.max(...each))
    }),
  )
})
