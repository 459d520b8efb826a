import type { Checkpoint, Coverage, Place, RecordedDtype, Slab, StoredRows, Values } from '../recording/recording.ts'
import type { RunBounds } from './run-bounds.ts'

/** What a reader tells of one slab: numbers only, so that millions of them are columns. */
export interface SlabEntry {
  /** In the order in which they were added to the table. */
  readonly index: number
  readonly pos: number
  readonly count: number
  readonly perRow: number
  readonly dtype: RecordedDtype
  /** Where its values begin in the file, in bytes. */
  readonly dataOffset: number
  /** From 1; of the record, where the format has lines. */
  readonly line?: number
}

export interface NewSlab extends Omit<SlabEntry, 'index'> {
  readonly checkpoint: string
  readonly width: number
  readonly phase?: Slab['phase']
  readonly coverage?: Coverage['kind']
  /** Of a checkpoint that is one slab. */
  readonly headsFirst?: number
  /** How many records of the file came before. */
  readonly order: number
  /** Of the record. */
  readonly byteOffset: number
}

/** How the values of an entry are had. */
export interface SlabSource {
  /** The file that places name. */
  readonly file: string
  /** Where whoever wrote the file chose the names of the checkpoints. */
  readonly bounds?: RunBounds
  values(entry: SlabEntry, first: number, rows: number): Values
  /** Where F32 rows lie as they are, one after another, from row `first` on. */
  stored?(entry: SlabEntry, first: number): StoredRows
  /** The column ids of one row; only where there is coverage `columns`. */
  columns?(entry: SlabEntry, row: number): ArrayLike<number>
}

export type AddResult = 'added' | 'out-of-order' | 'other-width'

const DTYPES = ['F64', 'F32', 'F16', 'BF16'] as const
const COVERAGES = ['all', 'prefix', 'columns'] as const
const PHASES = [undefined, 'prefill', 'decode'] as const

/** The slabs of one run, as columns of numbers: some 40 bytes each. */
export class SlabTable {
  readonly #source: SlabSource
  readonly #checkpoints = new Map<string, TableCheckpoint>()
  readonly #pos = new Column(Uint32Array)
  readonly #count = new Column(Uint32Array)
  readonly #perRow = new Column(Uint32Array)
  readonly #dataOffset = new Column(Float64Array)
  readonly #order = new Column(Uint32Array)
  /** 0 where the format has none. */
  readonly #line = new Column(Uint32Array)
  readonly #byteOffset = new Column(Float64Array)
  /** dtype + 4 * coverage + 16 * phase */
  readonly #kinds = new Column(Uint8Array)

  constructor(source: SlabSource) {
    this.#source = source
  }

  get checkpoints(): ReadonlyMap<string, Checkpoint> {
    return this.#checkpoints
  }

  get length(): number {
    return this.#pos.length
  }

  /** Positions of a checkpoint must ascend; what does not fit is told and not added. */
  add(slab: NewSlab): AddResult {
    let checkpoint = this.#checkpoints.get(slab.checkpoint)
    if (checkpoint === undefined) {
      const { file, bounds } = this.#source
      bounds?.addCheckpoint({ file, ...(slab.line && { line: slab.line }), byteOffset: slab.byteOffset })
      checkpoint = new TableCheckpoint(slab, (index) => this.#slab(index))
      this.#checkpoints.set(slab.checkpoint, checkpoint)
    }
    if (checkpoint.width !== slab.width) return 'other-width'
    if (slab.pos < checkpoint.endPos) return 'out-of-order'
    checkpoint.endPos = slab.pos + slab.count
    checkpoint.indices.push(this.length)
    this.#pos.push(slab.pos)
    this.#count.push(slab.count)
    this.#perRow.push(slab.perRow)
    this.#dataOffset.push(slab.dataOffset)
    this.#order.push(slab.order)
    this.#line.push(slab.line ?? 0)
    this.#byteOffset.push(slab.byteOffset)
    this.#kinds.push(
      DTYPES.indexOf(slab.dtype) + 4 * COVERAGES.indexOf(slab.coverage ?? 'all') + 16 * PHASES.indexOf(slab.phase),
    )
    return 'added'
  }

  #slab(index: number): Slab {
    const source = this.#source
    const kinds = this.#kinds.at(index)
    const count = this.#count.at(index)
    const perRow = this.#perRow.at(index)
    const dtype = DTYPES[kinds & 3]!
    const kind = COVERAGES[(kinds >> 2) & 3]!
    const phase = PHASES[kinds >> 4]
    const line = this.#line.at(index)
    const pos = this.#pos.at(index)
    const entry: SlabEntry = {
      index,
      pos,
      count,
      perRow,
      dtype,
      dataOffset: this.#dataOffset.at(index),
      ...(line > 0 && { line }),
    }
    const place: Place = {
      file: source.file,
      ...(line > 0 && { line }),
      byteOffset: this.#byteOffset.at(index),
    }
    const read = (first = 0, rows = count - first) => {
      if (!(first >= 0 && rows >= 0 && first + rows <= count)) {
        throw new RangeError(`rows ${first} to ${first + rows} of ${count}`)
      }
      return source.values(entry, first, rows)
    }
    const stored =
      source.stored === undefined || dtype !== 'F32' ? undefined : (at: number) => source.stored!(entry, at)
    return {
      ...(phase !== undefined && { phase }),
      pos,
      count,
      dtype,
      coverage: kind === 'columns' ? { kind, perRow, columns: (row) => source.columns!(entry, row) } : { kind, perRow },
      order: this.#order.at(index),
      place,
      read: Object.assign(read, stored && { stored }),
    }
  }
}

class TableCheckpoint implements Checkpoint {
  readonly name: string
  readonly width: number
  readonly headsFirst?: number
  readonly indices = new Column(Uint32Array)
  /** After the last position that was added. */
  endPos = 0
  readonly #slab: (index: number) => Slab

  constructor({ checkpoint, width, headsFirst }: NewSlab, slab: (index: number) => Slab) {
    this.name = checkpoint
    this.width = width
    if (headsFirst !== undefined) this.headsFirst = headsFirst
    this.#slab = slab
  }

  get slabCount(): number {
    return this.indices.length
  }

  slab(index: number): Slab {
    return this.#slab(this.indices.at(index))
  }
}

type Numbers = Uint8Array | Uint32Array | Float64Array

/** Numbers that grow: doubled when full. */
class Column {
  #values: Numbers
  #length = 0

  constructor(ArrayType: new (length: number) => Numbers) {
    this.#values = new ArrayType(4)
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new (this.#values.constructor as new (length: number) => Numbers)(this.#length * 2)
      larger.set(this.#values)
      this.#values = larger
    }
    this.#values[this.#length++] = value
  }

  at(index: number): number {
    if (!(index >= 0 && index < this.#length)) throw new RangeError(`entry ${index} of ${this.#length}`)
    return this.#values[index]!
  }
}
