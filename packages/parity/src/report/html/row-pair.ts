import type { RecordedRun, Slab, Values } from '../../recording/recording.ts'

/** What both sides hold of one row, column by column. */
export interface RowPair {
  readonly candidate: Values
  readonly reference: Values
  /** Column ids where they are not 0, 1, 2, … */
  readonly columns?: readonly number[]
  /** Of a full row. */
  readonly width: number
}

/** The values of one checkpoint at one position on both sides, where both have it: copies, so later reads leave them alone. */
export function rowPair(
  candidate: RecordedRun,
  reference: RecordedRun,
  checkpoint: string,
  position: number,
): RowPair | undefined {
  const ours = readRow(candidate, checkpoint, position)
  const theirs = readRow(reference, checkpoint, position)
  if (ours === undefined || theirs === undefined) return undefined
  const width = reference.checkpoints.get(checkpoint)!.width
  if (ours.columns === undefined && theirs.columns === undefined) {
    const held = Math.min(ours.values.length, theirs.values.length)
    return { candidate: ours.values.subarray(0, held), reference: theirs.values.subarray(0, held), width }
  }
  const indexOf = new Map(Array.from(ours.values, (_, i) => [ours.columns?.[i] ?? i, i]))
  const columns = Array.from(theirs.values, (_, i) => theirs.columns?.[i] ?? i)
  const common = columns.map((column, i) => ({ column, i, j: indexOf.get(column) })).filter(({ j }) => j !== undefined)
  return {
    candidate: Float64Array.from(common, ({ j }) => ours.values[j!]!),
    reference: Float64Array.from(common, ({ i }) => theirs.values[i]!),
    columns: common.map(({ column }) => column),
    width,
  }
}

export interface Row {
  readonly values: Values
  readonly columns?: ArrayLike<number>
}

/** One row of a run, copied. */
export function readRow(run: RecordedRun, name: string, position: number): Row | undefined {
  const checkpoint = run.checkpoints.get(name)
  if (checkpoint === undefined) return undefined
  for (let index = 0; index < checkpoint.slabCount; index++) {
    const slab: Slab = checkpoint.slab(index)
    const row = position - slab.pos
    if (row < 0 || row >= slab.count) continue
    const values = slab.read(row, 1).slice()
    return slab.coverage.kind === 'columns' ? { values, columns: slab.coverage.columns(row) } : { values }
  }
  return undefined
}
