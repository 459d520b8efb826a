import { expect, test } from 'vitest'
import { median, quantile, ratios, spread, summarise } from './statistics.ts'

test('quantiles lie between the nearest values, in whatever order these come', () => {
  expect(quantile([4, 1, 3, 2], 0)).toBe(1)
  expect(quantile([4, 1, 3, 2], 0.25)).toBe(1.75)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([10, 9, 2])).toBe(9)
  expect(quantile([4, 1, 3, 2], 1)).toBe(4)
  expect(quantile([5], 0.99)).toBe(5)
})

test('no values have no quantile', () => {
  expect(() => quantile([], 0.5)).toThrow(RangeError)
})

test('a summary has the median and the quartiles, the spread their distance', () => {
  const summary = summarise([1, 2, 3, 4, 5, 6, 7])
  expect(summary).toEqual({ median: 4, lower: 2.5, upper: 5.5, samples: 7 })
  expect(spread(summary)).toBe(0.75)
  expect(spread(summarise([0, 0]))).toBe(0)
})

test('a ratio is above 1 for whoever is better, more or less being so', () => {
  expect(ratios([20, 30], [10, 10], 'higher')).toEqual([2, 3])
  expect(ratios([20, 30], [10, 10], 'lower')).toEqual([1 / 2, 1 / 3])
})

test('ratios pair the rounds, and leave out those that lack a side', () => {
  expect(ratios([undefined, 30, 8], [10, undefined, 4], 'higher')).toEqual([2])
  expect(ratios([1, 2], [], 'higher')).toEqual([])
  expect(ratios([1], [0], 'higher')).toEqual([])
})
