import type { Checkpoint } from '../recording/recording.ts'
import { NumberRows } from './number-rows.ts'

/** Positions [start, end), held by one slab of a checkpoint. */
export interface Stretch {
  readonly start: number
  readonly end: number
  /** Index of the slab. */
  readonly slab: number
}

export interface RowCover {
  /** By position, not overlapping: each position from the slab that holds the most of its row. */
  readonly stretches: Stretches
  /** Slabs that hold as much of a position as another one does. */
  readonly duplicates: readonly Stretch[]
}

/** By position, not overlapping. */
export type Stretches = NumberRows<Stretch>

/** Positions [start, end) that both sides hold, each in one slab. */
export interface CommonStretch {
  readonly start: number
  readonly end: number
  /** Index of the candidate's slab. */
  readonly candidate: number
  /** Index of the reference's slab. */
  readonly reference: number
}

function emptyStretches(): Stretches {
  return new NumberRows(3, (numbers, from) => ({
    start: numbers[from]!,
    end: numbers[from + 1]!,
    slab: numbers[from + 2]!,
  }))
}

/** Which slab of a checkpoint to read for each position. */
export function coverRows(checkpoint: Checkpoint): RowCover {
  const stretches = emptyStretches()
  let until = 0
  for (let index = 0; index < checkpoint.slabCount; index++) {
    const { pos, count } = checkpoint.slab(index)
    if (pos < until) return coverOverlapping(checkpoint)
    until = pos + count
    stretches.push(pos, until, index)
  }
  return { stretches, duplicates: [] }
}

/** Where slabs are out of order or hold the same positions. */
function coverOverlapping(checkpoint: Checkpoint): RowCover {
  const all: (Stretch & { readonly perRow: number })[] = []
  for (let index = 0; index < checkpoint.slabCount; index++) {
    const { pos, count, coverage } = checkpoint.slab(index)
    all.push({ start: pos, end: pos + count, slab: index, perRow: coverage.perRow })
  }
  const duplicates: Stretch[] = []
  const held = new Map<number, (typeof all)[number]>()
  for (const stretch of all.toSorted((a, b) => b.perRow - a.perRow || a.slab - b.slab)) {
    let doubled = false
    for (let position = stretch.start; position < stretch.end; position++) {
      const other = held.get(position)
      if (other === undefined) held.set(position, stretch)
      else if (other.perRow === stretch.perRow) doubled = true
    }
    if (doubled) duplicates.push(stretch)
  }
  const stretches = emptyStretches()
  let last: Stretch | undefined
  for (const [position, { slab }] of [...held].sort((a, b) => a[0] - b[0])) {
    if (last !== undefined && last.end === position && last.slab === slab) {
      last = { ...last, end: position + 1 }
      continue
    }
    if (last !== undefined) stretches.push(last.start, last.end, last.slab)
    last = { start: position, end: position + 1, slab }
  }
  if (last !== undefined) stretches.push(last.start, last.end, last.slab)
  return { stretches, duplicates }
}

/** What none of `taken` holds; both by position, not overlapping. */
export function* without(
  stretches: Iterable<Stretch>,
  taken: { readonly length: number; at(index: number): { start: number; end: number } | undefined },
): Generator<Stretch> {
  let next = 0
  for (const { start, end, slab } of stretches) {
    let from = start
    while (next < taken.length && taken.at(next)!.end <= from) next++
    for (let index = next; index < taken.length && taken.at(index)!.start < end; index++) {
      const hole = taken.at(index)!
      if (hole.start > from) yield { start: from, end: hole.start, slab }
      from = Math.max(from, hole.end)
    }
    if (from < end) yield { start: from, end, slab }
  }
}

/** The stretch that holds a position. */
export function stretchAt(stretches: Stretches, position: number): Stretch | undefined {
  let low = 0
  let high = stretches.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const stretch = stretches.at(middle)!
    if (position < stretch.start) high = middle - 1
    else if (position >= stretch.end) low = middle + 1
    else return stretch
  }
  return undefined
}

/** Positions below `limit` that both hold, cut where a slab of either ends. */
export function commonStretches(candidate: Stretches, reference: Stretches, limit: number): NumberRows<CommonStretch> {
  const common = new NumberRows<CommonStretch>(4, (numbers, from) => ({
    start: numbers[from]!,
    end: numbers[from + 1]!,
    candidate: numbers[from + 2]!,
    reference: numbers[from + 3]!,
  }))
  let a = 0
  let b = 0
  while (a < candidate.length && b < reference.length) {
    const left = candidate.at(a)!
    const right = reference.at(b)!
    const start = Math.max(left.start, right.start)
    const end = Math.min(left.end, right.end, limit)
    if (start < end) common.push(start, end, left.slab, right.slab)
    if (left.end <= right.end) a++
    else b++
  }
  return common
}
