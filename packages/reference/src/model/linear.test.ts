import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyLinear } from './linear.ts'

test('is W x + b, each sum in the order of the columns, for any shape', () => {
  const size = fc.integer({ min: 1, max: 9 })
  fc.assert(
    fc.property(
      size,
      size,
      size,
      fc.boolean(),
      fc.infiniteStream(fc.float({ noNaN: true, min: -8, max: 8 })),
      (rows, columns, count, biased, stream) => {
        const next = (length: number) => Float32Array.from({ length }, () => stream.next().value!)
        const weight = next(rows * columns)
        const x = Float64Array.from(next(count * columns))
        const bias = next(rows)
        const expected = Array.from({ length: count * rows }, (_, i) => {
          const [position, row] = [Math.floor(i / rows), i % rows]
          let sum = 0
          for (let k = 0; k < columns; k++) sum += weight[row * columns + k]! * x[position * columns + k]!
          return biased ? sum + bias[row]! : sum
        })
        const result = applyLinear({ rows, columns, weight, ...(biased && { bias }) }, x, count)
        expect([...result]).toEqual(expected)
      },
    ),
  )
})
