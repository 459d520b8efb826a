import { type RowCover, stretchAt } from '../alignment/row-cover.ts'
import { inputTokenIds } from '../alignment/token-ids.ts'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import type { UnfitFinding } from '../comparison/comparison.ts'
import type { RecordedRun, Slab, Values } from '../recording/recording.ts'
import { drifts } from './drift.ts'
import { LogitOddities } from './logit-oddities.ts'
import { RepeatedRows } from './repeated-rows.ts'
import {
  isConstant,
  largestBelievable,
  leastBelievable,
  type Oddity,
  oddSmallValues,
  otherDtype,
  type RowKind,
  surelyFloats,
} from './row-oddities.ts'
import { ToldFindings } from './told-findings.ts'

/** Fewer values than that may be the same by chance, or all be small. */
const NARROWEST_REPEAT = 8

const MOST_SUSPECTS = 4096

interface Series {
  readonly order: number[]
  readonly positions: number[]
  readonly scales: number[]
}

/** What is the same for all rows of a checkpoint. */
interface CheckpointKind extends Pick<RowKind, 'op' | 'layer'> {
  readonly name: string
  /** No value can be believed to be larger. */
  readonly largest: number
  /** Nor the values of a row, together (root mean square), to be smaller. */
  readonly least: number
  /** Tells apart the ops whose rows may not repeat each other's. */
  readonly salt: number
  /** Of the checkpoint. */
  readonly index: number
  /** Where the scales of its rows go. */
  readonly series: Series | undefined
}

interface Suspect {
  readonly name: string
  readonly slab: Slab
  readonly position: number
  readonly firstName: string
  readonly firstPosition: number
}

/** Where attention looks at one earlier position alone, it gives that position's values again: a sink makes whole rows the same. */
const WHAT_ATTENTION_GAVE: ReadonlySet<string> = new Set(['attn_kqv', 'attn_output'])

/** What was computed before any position saw another: the same token gives the same row there. */
const BEFORE_ATTENTION: ReadonlySet<string> = new Set(['attn_norm', 'attn_q', 'attn_k', 'attn_v'])

/**
 * Is one side, looked at alone, fit to be compared? Rows are shown to it one by one, in whatever order they are read, with what the
 * pass over them has found; it looks again at those that may be odd.
 */
export class Fitness {
  readonly #run: RecordedRun
  readonly #tokenIds: readonly number[] | undefined
  readonly #names: readonly string[]
  readonly #indexOf: ReadonlyMap<string, number>
  readonly #repeated: RepeatedRows
  readonly #kinds = new Map<string, CheckpointKind>()
  #viewed: Values | undefined
  #words: Uint32Array = new Uint32Array(0)
  readonly #findings = new ToldFindings()
  readonly #logits = new LogitOddities()
  readonly #covers: ReadonlyMap<string, RowCover>
  /** Rows whose hash was seen before: read again at the end, since a read may overwrite what the last one gave. */
  readonly #suspects: Suspect[] = []
  #rows = 0

  constructor(run: RecordedRun, covers: ReadonlyMap<string, RowCover>) {
    this.#run = run
    this.#covers = covers
    let rows = 0
    for (const { stretches } of covers.values()) for (const { start, end } of stretches) rows += end - start
    this.#tokenIds = inputTokenIds(run)
    this.#names = [...run.checkpoints.keys()]
    this.#indexOf = new Map(this.#names.map((name, index) => [name, index]))
    this.#repeated = new RepeatedRows(rows)
  }

  /** Rows looked at so far. */
  get rows(): number {
    return this.#rows
  }

  /**
   * The row is `width` values from `start` on. `squares`: sum of their squares; `tiny`: how many are smaller than every normal F32.
   */
  row(
    name: string,
    slab: Slab,
    position: number,
    values: Values,
    start: number,
    width: number,
    squares: number,
    tiny: number,
  ): void {
    this.#rows++
    const kind = this.#checkpointOf(name)
    const wordsEach = slab.dtype === 'F64' ? 2 : 1
    // Almost every row is fit, and this is all that is done for one.
    const believable =
      squares <= kind.largest ** 2 &&
      (squares >= width * kind.least ** 2 || width < NARROWEST_REPEAT) &&
      tiny === 0 &&
      values[start] !== values[start + width - 1] &&
      (slab.dtype !== 'F32' || surelyFloats(this.#wordsOf(values), start * wordsEach, width))
    if (!believable && !this.#inspect(kind, slab, position, values.subarray(start, start + width), squares)) return
    if (kind.op === 'logits' && slab.coverage.kind === 'all') {
      const oddity = this.#logits.look(position, values.subarray(start, start + width))
      if (oddity !== undefined) this.#findings.tell(name, slab, position, oddity)
    }
    if (width >= NARROWEST_REPEAT && slab.coverage.kind !== 'columns') {
      this.#lookForRepeat(kind, slab, position, this.#wordsOf(values), start * wordsEach, width * wordsEach)
    }
    if (kind.series !== undefined && slab.coverage.kind === 'all') {
      kind.series.order.push(slab.order)
      kind.series.positions.push(position)
      kind.series.scales.push(Math.sqrt(squares / width))
    }
  }

  /** What is odd about a row. Returns false where nothing more can be said of it. */
  #inspect(kind: CheckpointKind, slab: Slab, position: number, row: Values, squares: number): boolean {
    const tell = (oddity: Oddity) => this.#findings.tell(kind.name, slab, position, oddity)
    const rowKind: RowKind = { ...kind, dtype: slab.dtype, whole: slab.coverage.kind === 'all' }
    if (!Number.isFinite(squares)) {
      const strange = row.filter((value) => !Number.isFinite(value)).length
      if (strange > 0) {
        tell({ kind: 'non-finite', message: `${strange} of ${row.length} values are not finite` })
        return false
      }
    }
    // Memory that was never written: there may be gigabytes of it.
    if (squares === 0 && isConstant(row)) {
      tell({ kind: 'constant-row', message: `all ${row.length} values are ${row[0]}` })
      return false
    }
    let largest = 0
    for (const value of row) largest = Math.max(largest, Math.abs(value))
    if (largest > kind.largest) {
      tell({ kind: 'magnitude', message: `a value of size ${largest.toPrecision(3)} is beyond any forward pass` })
    }
    const scale = Math.sqrt(squares / row.length)
    if (scale < kind.least && row.length >= NARROWEST_REPEAT) {
      tell({ kind: 'magnitude', message: `values of size ${scale.toPrecision(3)} are too small for any forward pass` })
    }
    for (const oddity of oddSmallValues(row, rowKind)) tell(oddity)
    if (isConstant(row)) {
      tell({ kind: 'constant-row', message: `all ${row.length} values are ${row[0]}` })
      return false
    }
    const other = otherDtype(row, rowKind)
    if (other !== undefined) tell(other)
    return true
  }

  /** What is the same for all rows of a checkpoint, made once. */
  #checkpointOf(name: string): CheckpointKind {
    const known = this.#kinds.get(name)
    if (known !== undefined) return known
    const { op, layer } = checkpointPlace(name)!
    const kind: CheckpointKind = {
      name,
      op,
      layer,
      largest: largestBelievable(op),
      least: leastBelievable(op),
      salt: op.split('').reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), 7),
      index: this.#indexOf.get(name)!,
      series: op === 'logits' || op.endsWith('norm') ? { order: [], positions: [], scales: [] } : undefined,
    }
    this.#kinds.set(name, kind)
    return kind
  }

  /** The values as 32-bit words; a view that is made once for all rows of a block. */
  #wordsOf(values: Values): Uint32Array {
    if (this.#viewed !== values) {
      this.#viewed = values
      this.#words = new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4)
    }
    return this.#words
  }

  /** Slabs of which another one holds the same positions. */
  duplicate(name: string, slab: Slab): void {
    const last = slab.pos + slab.count - 1
    this.#findings.tell(name, slab, slab.pos, {
      kind: 'duplicate-row',
      message: `positions ${slab.pos} to ${last} were recorded more than once`,
    })
  }

  finish(): readonly UnfitFinding[] {
    for (const suspect of this.#suspects) this.#confirmRepeat(suspect)
    for (const [name, { series }] of this.#kinds) {
      if (series === undefined || series.order.length === 0) continue
      const { order, positions, scales } = series
      const byTime = order
        .map((_, index) => index)
        .sort((a, b) => order[a]! - order[b]! || positions[a]! - positions[b]!)
      const message = drifts({
        positions: byTime.map((index) => positions[index]!),
        scales: byTime.map((index) => scales[index]!),
      })
      if (message === undefined) continue
      this.#findings.tell(name, this.#run.checkpoints.get(name)!.slab(0), positions[byTime[0]!]!, {
        kind: 'drift',
        message,
      })
    }
    return this.#findings.all()
  }

  #lookForRepeat(
    { name, index, salt }: CheckpointKind,
    slab: Slab,
    position: number,
    words: Uint32Array,
    start: number,
    count: number,
  ): void {
    const first = this.#repeated.seen(words, start, count, salt, index, position)
    if (first === undefined || this.#suspects.length >= MOST_SUSPECTS) return
    const firstName = this.#names[first.checkpoint]!
    if (firstName === name && (first.position === position || this.#mayRepeat(name, first.position, position))) return
    this.#suspects.push({ name, slab, position, firstName, firstPosition: first.position })
  }

  #confirmRepeat({ name, slab, position, firstName, firstPosition }: Suspect): void {
    // Two ids may have the same embedding, and an engine may have taken the wrong one: then the rest repeats rightly.
    if (firstName === name && this.#sameRows('token_embd', firstPosition, 'token_embd', position)) return
    if (!this.#sameRows(firstName, firstPosition, name, position)) return
    const message =
      firstName === name
        ? `the same values, bit for bit, as at position ${firstPosition}, where another token is`
        : `the same values, bit for bit, as ${firstName} at position ${firstPosition}`
    this.#findings.tell(name, slab, position, { kind: 'repeated-row', message })
  }

  /** Whether two positions of one checkpoint may honestly hold the same. */
  #mayRepeat(name: string, a: number, b: number): boolean {
    const place = checkpointPlace(name)
    if (place === undefined || place.op === 'token_embd' || WHAT_ATTENTION_GAVE.has(place.op)) return true
    if (place.layer === 0 && BEFORE_ATTENTION.has(place.op)) return true
    const ids = this.#tokenIds
    return ids !== undefined && ids[a] === ids[b]
  }

  #sameRows(name: string, position: number, otherName: string, otherPosition: number): boolean {
    const row = this.#rowAt(name, position)?.slice()
    const other = this.#rowAt(otherName, otherPosition)
    return (
      row !== undefined &&
      other !== undefined &&
      row.length === other.length &&
      row.every((value, i) => value === other[i])
    )
  }

  #rowAt(name: string, position: number): Values | undefined {
    const cover = this.#covers.get(name)
    const stretch = cover === undefined ? undefined : stretchAt(cover.stretches, position)
    if (stretch === undefined) return undefined
    const slab = this.#run.checkpoints.get(name)!.slab(stretch.slab)
    return slab.read(position - slab.pos, 1)
  }
}
