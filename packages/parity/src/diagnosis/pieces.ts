import type { GraphNode } from '../graph/graph.ts'
import { type ActivationSource, type Chunk, OpSite } from '../graph/op-site.ts'
import { recordedChunk, recordedRows } from '../graph/recorded-values.ts'
import type { RecordedRun } from '../recording/recording.ts'

/** Rows that a mistake must explain, from the first divergent one on, and rows before it that it must leave alone. */
const ROWS_AFTER = 6
const ROWS_BEFORE = 3
/** A row that differs by less than this share of the one that differs most is right. */
export const UNTOUCHED = 1e-6

/** Consecutive rows of one chunk, all before the first divergent position or all from it on. */
export interface Piece {
  readonly first: number
  readonly count: number
  readonly chunk: Chunk
  readonly recorded: Float64Array
}

export function siteOf({ first, count, chunk }: Piece, node: GraphNode, source: ActivationSource): OpSite {
  return new OpSite(source, node, first, count, chunk)
}

/** Recorded rows around a position, of its own phase. */
export function piecesAround(run: RecordedRun, { name }: GraphNode, position: number, promptLength: number): Piece[] {
  const inPrompt = position < promptLength
  const begin = Math.max(position - ROWS_BEFORE, inPrompt ? 0 : promptLength, 0)
  const end = inPrompt ? Math.min(position + ROWS_AFTER, promptLength) : position + ROWS_AFTER
  const pieces: Piece[] = []
  for (let first = begin; first < end; ) {
    const chunk = recordedChunk(run, name, first) ?? { pos: first, count: 1 }
    const count = Math.min(chunk.pos + chunk.count, first < position ? position : end) - first
    const recorded = recordedRows(run, name, first, count)
    if (recorded !== undefined) pieces.push({ first, count, chunk, recorded })
    first += count
  }
  return pieces
}

export function rowsOf({ first, count, chunk, recorded }: Piece): Piece[] {
  const width = recorded.length / count
  return Array.from({ length: count }, (_, i) => ({
    first: first + i,
    count: 1,
    chunk,
    recorded: recorded.subarray(i * width, (i + 1) * width),
  }))
}

/** As float32, in which most engines compute: what overflows there is as infinite as it was recorded. Infinite without `b`. */
export function squaredDistance(a: Float64Array, b: Float64Array | undefined): number {
  if (b === undefined) return Number.POSITIVE_INFINITY
  let total = 0
  for (let i = 0; i < a.length; i++) {
    const x = Math.fround(a[i]!)
    const y = Math.fround(b[i]!)
    if (!Object.is(x, y)) total += (x - y) ** 2
  }
  return Number.isNaN(total) ? Number.POSITIVE_INFINITY : total
}

export function sum(values: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]!
  return total
}
