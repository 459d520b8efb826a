import { expect, test } from 'vitest'
import type { Values } from '../recording/recording.ts'
import { SUMS } from './row-metrics.ts'
import { RowSums } from './row-sums.ts'

test('with a thread beside, blocks come back with the same bits', () => {
  const shapes = Array.from({ length: 200 }, (_, i) => ({ count: 1 + ((i * 7) % 40), width: 32 + ((i * 13) % 500) }))
  const results = [false, true].map((threaded) => {
    const sums = new RowSums({ threaded })
    const seen: number[][] = []
    for (const [index, { count, width }] of shapes.entries()) {
      const y = Float32Array.from({ length: count * width }, (_, i) => Math.sin(i + index))
      const same = index % 5 === 0
      const x = same ? y : y.map((value, i) => value + Math.cos(i) * 1e-4)
      const values: [Values, Values] = index % 7 === 0 ? [Float64Array.from(x), Float64Array.from(y)] : [x, y]
      const [first, last] = [y[0], x.at(-1)]
      sums.add(...values, count, width, same, (left, right, rows) => {
        expect(left[count * width - 1]).toBe(last)
        expect(right[0]).toBe(first)
        seen[index] = Array.from(rows.subarray(0, count * SUMS))
      })
      // What was given may be overwritten from here on.
      if (index % 7 !== 0) x.fill(NaN)
    }
    sums.finish()
    return seen
  })
  expect(results[0]).toHaveLength(shapes.length)
  expect(results[1]).toEqual(results[0])
})
