import { expect, test } from 'vitest'
import type { Slab } from '../recording/recording.ts'
import { commonStretches, coverRows, without } from './row-cover.ts'

test('stretches: common ones are cut where either ends, what is left over is the rest', () => {
  const holding = (...ranges: (readonly [number, number])[]) =>
    coverRows({
      name: 'logits',
      width: 1,
      slabCount: ranges.length,
      slab: (index) => ({ pos: ranges[index]![0], count: ranges[index]![1] - ranges[index]![0] }) as Slab,
    }).stretches
  const ours = holding([0, 5], [5, 6], [8, 10])
  const theirs = holding([2, 9])
  const common = commonStretches(ours, theirs, 9)
  expect([...common]).toEqual([
    { start: 2, end: 5, candidate: 0, reference: 0 },
    { start: 5, end: 6, candidate: 1, reference: 0 },
    { start: 8, end: 9, candidate: 2, reference: 0 },
  ])
  expect([...without(ours, common)]).toEqual([
    { start: 0, end: 2, slab: 0 },
    { start: 9, end: 10, slab: 2 },
  ])
  expect([...without(theirs, common)]).toEqual([{ start: 6, end: 8, slab: 0 }])
})

test('of slabs that overlap, the one that holds more of a row is read', () => {
  const slab = (pos: number, count: number, perRow: number) =>
    ({ pos, count, coverage: { kind: 'prefix', perRow } }) as unknown as Slab
  const slabs = [slab(0, 4, 10), slab(3, 1, 512), slab(1, 1, 10)]
  const cover = coverRows({ name: 'logits', width: 512, slabCount: 3, slab: (index) => slabs[index]! })
  expect([...cover.stretches]).toEqual([
    { start: 0, end: 3, slab: 0 },
    { start: 3, end: 4, slab: 1 },
  ])
  expect(cover.duplicates.map((stretch) => stretch.slab)).toEqual([2])
})
