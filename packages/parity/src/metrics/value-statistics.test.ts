import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ValueStatistics } from './value-statistics.ts'

test.each([Float32Array, Float64Array])('statistics of values in parts against their definitions, %o', (Type) => {
  const value = fc.oneof(
    fc.float({ min: -100, max: 100, noNaN: true }),
    fc.constantFrom(NaN, Infinity, -Infinity, 0, -0),
  )
  fc.assert(
    fc.property(fc.array(fc.array(value, { maxLength: 40 }), { maxLength: 5 }), (parts) => {
      const statistics = new ValueStatistics()
      for (const part of parts) statistics.add(Type.from(part))
      const all = parts.flat()
      const finite = all.filter(Number.isFinite)
      const { min, max, mean, rms, nonfinite } = statistics.result()
      expect(nonfinite).toBe(all.length - finite.length)
      if (finite.length === 0) {
        expect([min, max, mean, rms]).toEqual([NaN, NaN, NaN, NaN])
        return
      }
      // -0 is 0 to whoever reads what is stated.
      expect([min + 0, max + 0]).toEqual([Math.min(...finite) + 0, Math.max(...finite) + 0])
      const total = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0)
      expect(Math.abs(mean - total(finite) / finite.length)).toBeLessThanOrEqual(1e-11)
      expect(rms).toBeCloseTo(Math.sqrt(total(finite.map((each) => each ** 2)) / finite.length), 9)
    }),
    { numRuns: 300 },
  )
})

test('a long row is taken in pieces', () => {
  const values = Float32Array.from({ length: 200_003 }, (_, index) => index - 100_000)
  const statistics = new ValueStatistics()
  statistics.add(values)
  expect(statistics.result()).toMatchObject({ min: -100_000, max: 100_002, mean: 1, nonfinite: 0 })
})
