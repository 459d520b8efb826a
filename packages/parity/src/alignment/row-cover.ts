import type { Checkpoint } from '../recording/recording.ts'

/** Positions [start, end), held by one slab of a checkpoint. */
export interface Stretch {
  readonly start: number
  readonly end: number
  /** Index of the slab. */
  readonly slab: number
}

export interface RowCover {
  /** By position, not overlapping: each position from the slab that holds the most of its row. */
  readonly stretches: readonly Stretch[]
  /** Slabs that hold as much of a position as another one does. */
  readonly duplicates: readonly Stretch[]
}

/** Which slab of a checkpoint to read for each position. */
export function coverRows(checkpoint: Checkpoint): RowCover {
  const all: (Stretch & { readonly perRow: number })[] = []
  for (let index = 0; index < checkpoint.slabCount; index++) {
    const { pos, count, coverage } = checkpoint.slab(index)
    all.push({ start: pos, end: pos + count, slab: index, perRow: coverage.perRow })
  }
  all.sort((a, b) => a.start - b.start || b.perRow - a.perRow)
  if (all.every((stretch, index) => index === 0 || stretch.start >= all[index - 1]!.end)) {
    return { stretches: all, duplicates: [] }
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
  const stretches: { start: number; end: number; slab: number }[] = []
  for (const [position, { slab }] of [...held].sort((a, b) => a[0] - b[0])) {
    const last = stretches.at(-1)
    if (last !== undefined && last.end === position && last.slab === slab) last.end++
    else stretches.push({ start: position, end: position + 1, slab })
  }
  return { stretches, duplicates }
}

/** What none of `taken` holds; both by position, not overlapping. */
export function without(stretches: readonly Stretch[], taken: readonly { start: number; end: number }[]): Stretch[] {
  const left: Stretch[] = []
  let next = 0
  for (const { start, end, slab } of stretches) {
    let from = start
    while (next < taken.length && taken[next]!.end <= from) next++
    for (let index = next; index < taken.length && taken[index]!.start < end; index++) {
      if (taken[index]!.start > from) left.push({ start: from, end: taken[index]!.start, slab })
      from = Math.max(from, taken[index]!.end)
    }
    if (from < end) left.push({ start: from, end, slab })
  }
  return left
}

/** The stretch that holds a position. */
export function stretchAt(stretches: readonly Stretch[], position: number): Stretch | undefined {
  let low = 0
  let high = stretches.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const stretch = stretches[middle]!
    if (position < stretch.start) high = middle - 1
    else if (position >= stretch.end) low = middle + 1
    else return stretch
  }
  return undefined
}

/** Positions that both hold, cut where a slab of either ends. */
export function commonStretches(
  candidate: readonly Stretch[],
  reference: readonly Stretch[],
  limit: number,
): { start: number; end: number; candidate: number; reference: number }[] {
  const common: { start: number; end: number; candidate: number; reference: number }[] = []
  let a = 0
  let b = 0
  while (a < candidate.length && b < reference.length) {
    const left = candidate[a]!
    const right = reference[b]!
    const start = Math.max(left.start, right.start)
    const end = Math.min(left.end, right.end)
    if (start < Math.min(end, limit)) {
      common.push({ start, end: Math.min(end, limit), candidate: left.slab, reference: right.slab })
    }
    if (left.end <= right.end) a++
    else b++
  }
  return common
}
