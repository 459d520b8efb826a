import { describe, expect, test } from 'vitest'
import { Q8_16, roundActivations } from './activations.ts'

const row = (...values: number[]) => Float64Array.from(values)

describe('roundActivations', () => {
  test('the largest magnitude is the last step, of either sign; all else goes to the nearest step', () => {
    const rounded = roundActivations(4, 8)(row(-2, 1.26, 1.24, 0.24, -0.26, 0), 6)
    expect([...rounded]).toEqual([-2, 1.5, 1, 0, -0.5, 0])
  })

  test('ties go to the even step', () => {
    // Steps of 1: an inverse of 1, so that nothing is rounded before.
    const rounded = roundActivations(4, 8)(row(4, 0.5, 1.5, 2.5, 3.5, -1.5, -2.5), 7)
    expect([...rounded]).toEqual([4, 0, 2, 2, 4, -2, -2])
  })

  test('blocks have scales of their own, begin anew with each row, and the last may be shorter', () => {
    const rounded = roundActivations(1, 2)(row(8, 1, 3, 100, 51, 0.5), 3)
    expect([...rounded]).toEqual([8, 0, 3, 100, 100, 0.5])
  })

  test('blocks of zeros, and of all but zeros, become zeros', () => {
    const tiny = new Float64Array(32).fill(1e-31)
    tiny[20] = 2
    const rounded = Q8_16(tiny, 32)
    expect(rounded.subarray(0, 16).every((value) => value === 0)).toBe(true)
    expect(rounded[20]).toBeCloseTo(2, 7)
  })

  test('Q8_16: each value is off by half a step of its own block at most, and steps are float32', () => {
    const x = Float64Array.from({ length: 64 }, (_, i) => Math.sin(i * 1.7) * 10 ** (i % 5))
    const rounded = Q8_16(x, 64)
    for (let from = 0; from < 64; from += 16) {
      const largest = Math.max(...x.subarray(from, from + 16).map(Math.abs))
      const step = Math.fround(Math.fround(largest) / 127)
      for (let i = from; i < from + 16; i++) {
        expect(rounded[i]! / step).toBeCloseTo(Math.round(rounded[i]! / step), 9)
        expect(Math.abs(rounded[i]! - x[i]!)).toBeLessThanOrEqual(0.5001 * step)
      }
    }
    expect([...rounded]).not.toEqual([...x])
  })

  test('what is no number stays none', () => {
    expect(Q8_16(row(Number.NaN, 1), 2)[0]).toBeNaN()
  })
})
