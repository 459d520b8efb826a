import fc from 'fast-check'
import { expect, test } from 'vitest'
import { logitMetrics } from './logit-metrics.ts'

/** KL(softmax(y) || softmax(x)), term by term. */
function divergence(x: readonly number[], y: readonly number[]): number {
  const logs = (values: readonly number[]) => {
    const top = Math.max(...values)
    const total = Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0)) + top
    return values.map((value) => value - total)
  }
  const p = logs(y)
  const q = logs(x)
  return p.reduce((sum, log, i) => sum + Math.exp(log) * (log - q[i]!), 0)
}

test('the divergence is its definition', () => {
  const logit = fc.double({ min: -60, max: 60, noNaN: true })
  fc.assert(
    fc.property(fc.array(fc.tuple(logit, logit), { minLength: 2, maxLength: 40 }), (pairs) => {
      const x = pairs.map(([value]) => value)
      const y = pairs.map(([, value]) => value)
      const { kl } = logitMetrics(Float64Array.from(x), Float64Array.from(y), true)
      const truth = divergence(x, y)
      expect(Math.abs(kl - truth)).toBeLessThanOrEqual(1e-12 + 1e-9 * truth)
    }),
  )
})

test('and so it is of rows that are almost the same, of which half of the exponentials are a series', () => {
  const pair = fc.tuple(
    fc.double({ min: -30, max: 30, noNaN: true }),
    fc.double({ min: -2e-3, max: 2e-3, noNaN: true }),
  )
  fc.assert(
    fc.property(fc.array(pair, { minLength: 2, maxLength: 40 }), (pairs) => {
      const y = pairs.map(([value]) => value)
      const x = pairs.map(([value, apart]) => value + apart)
      const { kl } = logitMetrics(Float64Array.from(x), Float64Array.from(y), true)
      expect(Math.abs(kl - divergence(x, y))).toBeLessThanOrEqual(1e-14)
    }),
  )
})

test("top-1, top-5 and the rank of the reference's token", () => {
  const y = Float32Array.from([0, 9, 3, 8, 7, 6, 5])
  expect(logitMetrics(y, y, true)).toEqual({ kl: 0, top1: 1, top5: 1, rank: 0 })
  // The reference's first token, 1, comes third; of its first five, 6 is replaced by 0.
  const x = Float32Array.from([9.5, 9, 3, 9.2, 7, 6, 1])
  expect(logitMetrics(x, y, true)).toMatchObject({ top1: 0, top5: 0.8, rank: 2 })
  expect(logitMetrics(x, y, false).kl).toBeNaN()
})

test('of equal logits the first is the first token, as in greedy sampling', () => {
  expect(logitMetrics(Float32Array.from([5, 5]), Float32Array.from([1, 2]), true)).toMatchObject({ top1: 0, rank: 1 })
  expect(logitMetrics(Float32Array.from([5, 5]), Float32Array.from([2, 1]), true)).toMatchObject({ top1: 1, rank: 0 })
})
