import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/recordings.ts'
import type { Slab, Values } from '../recording/recording.ts'
import { SUM } from './row-metrics.ts'
import { RowSums, type RowsOfBoth } from './row-sums.ts'
import { LOGITS_AT, ROW_NUMBERS } from './row-tasks.ts'

function slabOf(values: Values, width: number, stored?: Slab['read']['stored']): Slab {
  const count = values.length / width
  const read = (first = 0, rows = count - first) => values.subarray(first * width, (first + rows) * width)
  return {
    pos: 0,
    count,
    dtype: values instanceof Float32Array ? 'F32' : 'F64',
    coverage: { kind: 'all', perRow: width },
    order: 0,
    place: { file: 'x' },
    read: Object.assign(read, stored && { stored }),
  }
}

function collect(threaded: boolean, all: readonly RowsOfBoth[]): number[][] {
  const sums = new RowSums({ threaded })
  const seen: number[][] = []
  for (const [index, rows] of all.entries()) {
    const values = rows.count * rows.a.coverage.perRow
    sums.add(rows, (x, y, numbers) => {
      expect(x).toEqual(rows.a.read(rows.position, rows.count))
      expect(y).toEqual(rows.b.read(rows.position, rows.count))
      expect(x).toHaveLength(values)
      const each = rows.logits === 'none' ? LOGITS_AT : ROW_NUMBERS
      seen[index] = Array.from({ length: rows.count }, (_, row) =>
        Array.from(numbers.subarray(row * ROW_NUMBERS, row * ROW_NUMBERS + each)),
      ).flat()
    })
  }
  sums.finish()
  sums.end()
  return seen
}

const float = (i: number, seed: number) => Math.fround(Math.sin(i + seed))

test('with a thread beside, from memory and from files, blocks come back with the same bits', () => {
  const path = join(temporaryFolder(), 'values')
  const shapes = Array.from({ length: 200 }, (_, i) => ({ count: 1 + ((i * 7) % 40), width: 32 + ((i * 13) % 500) }))
  const pairs = shapes.map(({ count, width }, index) => {
    const y = Float32Array.from({ length: count * width }, (_, i) => float(i, index))
    const x = index % 5 === 0 ? y.slice() : y.map((value, i) => value + Math.cos(i) * 1e-4)
    return { x, y, count, width }
  })
  writeFileSync(path, Buffer.concat(pairs.flatMap(({ x, y }) => [Buffer.from(x.buffer), Buffer.from(y.buffer)])))
  const descriptor = openSync(path, 'r')
  let offset = 0
  const all = pairs.map(({ x, y, count, width }, index): RowsOfBoth[] => {
    const stored = (values: Float32Array) => {
      const from = offset
      offset += values.byteLength
      return (first: number) => ({ descriptor, offset: from + first * width * 4 })
    }
    const [xStored, yStored] = [stored(x), stored(y)]
    const logits = index % 3 === 0 ? 'whole' : 'none'
    const position = Math.min(index % 3, count - 1)
    const rows = { position, count: count - position, logits } as const
    return [
      { ...rows, a: slabOf(x, width), b: slabOf(y, width) },
      { ...rows, a: slabOf(x, width, xStored), b: slabOf(y, width, yStored) },
    ]
  })
  const fromMemory = all.map(([rows]) => rows!)
  const fromFile = all.map(([, rows]) => rows!)
  const results = [
    collect(false, fromMemory),
    collect(true, fromMemory),
    collect(false, fromFile),
    collect(true, fromFile),
  ]
  closeSync(descriptor)
  for (const result of results.slice(1)) expect(result).toEqual(results[0])
  expect(results[0]!.every((numbers, index) => (numbers[SUM.maxDifference] === 0) === (index % 5 === 0))).toBe(true)
})

test('rows of float64, too long ones and such as no thread can read are looked at here', () => {
  const doubles = Float64Array.from({ length: 64 }, (_, i) => Math.sin(i))
  const long = Float32Array.from({ length: 300_000 }, (_, i) => float(i, 1))
  const gone = (first: number) => ({ descriptor: 9999, offset: first })
  const floats = Float32Array.from(doubles)
  const all: RowsOfBoth[] = [
    { a: slabOf(doubles, 32), b: slabOf(doubles, 32), position: 0, count: 2, logits: 'whole' },
    { a: slabOf(long, 300_000), b: slabOf(long, 300_000), position: 0, count: 1, logits: 'none' },
    { a: slabOf(floats, 32, gone), b: slabOf(floats, 32, gone), position: 0, count: 2, logits: 'none' },
  ]
  const [ofDoubles, ofLong, ofGone] = collect(true, all)
  expect(ofDoubles![SUM.referenceSquares]).toBeCloseTo(
    doubles.subarray(0, 32).reduce((sum, v) => sum + v * v, 0),
    12,
  )
  expect(ofLong![SUM.maxDifference]).toBe(0)
  expect(ofGone![SUM.referenceSquares]).toBeCloseTo(
    floats.subarray(0, 32).reduce((sum, v) => sum + v * v, 0),
    6,
  )
})
