import { mapRuns } from '../alignment/mappings.ts'
import { coverRows, type RowCover, stretchAt } from '../alignment/row-cover.ts'
import type { Comparison, Side } from '../comparison/comparison.ts'
import type { RecordedRun, Recording, Values } from '../recording/recording.ts'

export interface Row {
  readonly values: Values
  /** Column ids where they are not 0, 1, 2, … */
  readonly columns?: ArrayLike<number>
}

/** What both sides hold of one row, column by column. */
export interface RowPair {
  readonly candidate: Values
  readonly reference: Values
  readonly columns?: ArrayLike<number>
}

/** The recordings' values as they were compared: the runs that were, in the layout that they were brought to. */
export class ComparedRows {
  readonly candidate: SideRows
  readonly reference: SideRows

  constructor(comparison: Comparison, candidate: Recording, reference: Recording, headLength?: number) {
    const mapped = mapRuns(runOf(candidate, comparison.candidate), runOf(reference, comparison.reference), {
      ...(headLength !== undefined && { headLength }),
    })
    // From where the continuations part the reference recorded other tokens: nothing to set beside the candidate's.
    const { greedy, alignment } = comparison
    const end = greedy?.parted === undefined ? undefined : alignment.promptTokenIds.length + greedy.parted
    this.candidate = new SideRows(mapped.candidate.run)
    this.reference = new SideRows(mapped.reference.run, end)
  }

  /** Undefined where not both sides have the row. */
  pair(checkpoint: string, position: number): RowPair | undefined {
    const ours = this.candidate.row(checkpoint, position)
    const theirs = this.reference.row(checkpoint, position)
    if (ours === undefined || theirs === undefined) return undefined
    if (ours.columns === undefined && theirs.columns === undefined) {
      const held = Math.min(ours.values.length, theirs.values.length)
      return { candidate: ours.values.subarray(0, held), reference: theirs.values.subarray(0, held) }
    }
    const indexOf = new Map(Array.from(ours.values, (_, i) => [ours.columns?.[i] ?? i, i]))
    const common = Array.from(theirs.values, (_, i) => i).filter((i) => indexOf.has(theirs.columns?.[i] ?? i))
    const columns = common.map((i) => theirs.columns?.[i] ?? i)
    return {
      candidate: Float64Array.from(columns, (column) => ours.values[indexOf.get(column)!]!),
      reference: Float64Array.from(common, (i) => theirs.values[i]!),
      columns,
    }
  }
}

/** One side's rows, each a copy: a recording's own arrays live until its next read. */
export class SideRows {
  readonly run: RecordedRun
  readonly #end: number
  /** Of one checkpoint at a time: of a long run, all of them are more than what they point to. */
  #cover: { readonly name: string; readonly cover: RowCover } | undefined

  /** Rows of positions from `end` on are as if they were not there. */
  constructor(run: RecordedRun, end = Number.POSITIVE_INFINITY) {
    this.run = run
    this.#end = end
  }

  row(name: string, position: number): Row | undefined {
    const checkpoint = this.run.checkpoints.get(name)
    if (checkpoint === undefined || position >= this.#end) return undefined
    if (this.#cover?.name !== name) this.#cover = { name, cover: coverRows(checkpoint) }
    const stretch = stretchAt(this.#cover.cover.stretches, position)
    if (stretch === undefined) return undefined
    const slab = checkpoint.slab(stretch.slab)
    const row = position - slab.pos
    const values = slab.read(row, 1).slice()
    return slab.coverage.kind === 'columns' ? { values, columns: slab.coverage.columns(row) } : { values }
  }
}

function runOf({ runs }: Recording, { run }: Side): RecordedRun {
  const found = runs.find(({ id }) => id === run)
  if (found === undefined) throw new RangeError(`run ${run} is not in the recording that was compared`)
  return found
}
