import { expect, test } from 'vitest'
import { nmse } from './nmse.ts'

test('is the squared difference over the squared truth', () => {
  expect(nmse([1, 2], [1, 2])).toBe(0)
  expect(nmse([0, 0], [3, 4])).toBe(1)
  expect(nmse([3, 4.5], [3, 4])).toBe(0.01)
  expect(nmse([0, 0], [0, 0])).toBe(0)
  expect(nmse([1, 0], [0, 0])).toBe(Infinity)
  expect(nmse([Number.NaN, 0], [1, 0])).toBeNaN()
  expect(() => nmse([1], [1, 2])).toThrow(RangeError)
})
