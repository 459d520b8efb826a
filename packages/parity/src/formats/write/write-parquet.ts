import { rename } from 'node:fs/promises'
import { fileWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer'
import { checkpointPlace } from '../../comparison/checkpoint-name.ts'
import type { Recording } from '../../recording/recording.ts'
import { HEADER_KEY, ParquetHash, type ParquetHeader, SHA256_KEY } from '../parquet-schema.ts'
import { columnsOf, extentsOf, headerOf, rowsOf } from './extents.ts'

/** What the writer keeps of each group until the end is some kilobytes. */
const ROWS_A_GROUP = 1 << 16

/** A row a value. The value column is DOUBLE where any checkpoint is of float64, and FLOAT otherwise. */
export async function writeParquet(recording: Recording, path: string): Promise<void> {
  const extents = extentsOf(recording)
  const double = extents.some(({ slab }) => slab.dtype === 'F64')
  const header: ParquetHeader = {
    v: 1,
    runs: recording.runs.map((run) => ({
      ...headerOf(run),
      checkpoints: Object.fromEntries(
        [...run.checkpoints.values()].map(({ name, width }) => [name, { width, dtype: 'F32' as const }]),
      ),
    })),
  }
  for (const { run, checkpoint, slab } of extents) {
    header.runs[recording.runs.indexOf(run)]!.checkpoints[checkpoint.name]!.dtype = slab.dtype
  }
  const headerText = JSON.stringify(header)
  const hash = new ParquetHash(headerText)
  const group = new RowGroup(double)
  const scratchColumns = new Int32Array(ROWS_A_GROUP)
  const scratchValues = new Float64Array(ROWS_A_GROUP)
  const writer = new ParquetWriter({
    writer: fileWriter(`${path}.unfinished`),
    schema: schemaFromColumnData({ columnData: group.columns() }),
    createdBy: 'plumbline-parity',
  })
  const flush = () => writer.write({ columnData: group.columns(), rowGroupSize: group.length })
  for (const extent of extents) {
    const { run, checkpoint } = extent
    for (const { slab, first, count, values } of rowsOf(extent)) {
      const { perRow } = slab.coverage
      const columns = columnsOf(slab, first, count)
      for (let row = 0; row < count; row++) {
        const pos = slab.pos + first + row
        hash.position(run.id, checkpoint.name, slab.phase ?? null, pos, perRow)
        for (let done = 0; done < perRow; ) {
          const room = Math.min(perRow - done, ROWS_A_GROUP - group.length)
          const from = row * perRow + done
          const rowColumns = scratchColumns.subarray(0, room)
          const rowValues = scratchValues.subarray(0, room)
          for (let index = 0; index < room; index++) {
            rowColumns[index] = columns.length > 0 ? columns[from + index]! : done + index
            const value = values[from + index]!
            rowValues[index] = Number.isNaN(value) ? Number.NaN : value
          }
          hash.values(rowColumns, rowValues)
          group.add(run.id, checkpoint.name, slab.phase ?? null, pos, rowColumns, rowValues)
          done += room
          if (group.length === ROWS_A_GROUP) {
            await flush()
            group.clear()
          }
        }
      }
    }
  }
  if (group.length > 0) await flush()
  writer.kvMetadata = [
    { key: HEADER_KEY, value: headerText },
    { key: SHA256_KEY, value: hash.digest() },
  ]
  await writer.finish()
  await rename(`${path}.unfinished`, path)
}

/** The columns of a row group in the making: the same arrays for each group, since what is let go is memory until it is collected. */
class RowGroup {
  readonly #double: boolean
  #length = 0
  readonly #runs = new Array<string>(ROWS_A_GROUP)
  readonly #checkpoints = new Array<string>(ROWS_A_GROUP)
  readonly #layers = new Array<number | null>(ROWS_A_GROUP)
  readonly #ops = new Array<string>(ROWS_A_GROUP)
  readonly #phases = new Array<string | null>(ROWS_A_GROUP)
  readonly #positions = new Int32Array(ROWS_A_GROUP)
  readonly #columns = new Int32Array(ROWS_A_GROUP)
  readonly #values: Float32Array | Float64Array

  constructor(double: boolean) {
    this.#double = double
    this.#values = double ? new Float64Array(ROWS_A_GROUP) : new Float32Array(ROWS_A_GROUP)
  }

  get length(): number {
    return this.#length
  }

  add(
    run: string,
    checkpoint: string,
    phase: string | null,
    pos: number,
    columns: Int32Array,
    values: Float64Array,
  ): void {
    const [from, to] = [this.#length, this.#length + values.length]
    const { layer, op } = checkpointPlace(checkpoint) ?? { layer: null, op: checkpoint }
    this.#runs.fill(run, from, to)
    this.#checkpoints.fill(checkpoint, from, to)
    this.#layers.fill(layer, from, to)
    this.#ops.fill(op, from, to)
    this.#phases.fill(phase, from, to)
    this.#positions.fill(pos, from, to)
    this.#columns.set(columns, from)
    this.#values.set(values, from)
    this.#length = to
  }

  clear(): void {
    this.#length = 0
  }

  columns() {
    const length = this.#length
    const whole = <T>(array: T[]) => (length === ROWS_A_GROUP ? array : array.slice(0, length))
    // A column of a group is one page: an index of pages is memory for nothing.
    const onePage = { offsetIndex: false }
    return [
      { ...onePage, name: 'run', type: 'STRING' as const, nullable: false, data: whole(this.#runs) },
      { ...onePage, name: 'checkpoint', type: 'STRING' as const, nullable: false, data: whole(this.#checkpoints) },
      { ...onePage, name: 'layer', type: 'INT32' as const, nullable: true, data: whole(this.#layers) },
      { ...onePage, name: 'op', type: 'STRING' as const, nullable: false, data: whole(this.#ops) },
      { ...onePage, name: 'phase', type: 'STRING' as const, nullable: true, data: whole(this.#phases) },
      { ...onePage, name: 'pos', type: 'INT32' as const, nullable: false, data: this.#positions.subarray(0, length) },
      { ...onePage, name: 'col', type: 'INT32' as const, nullable: false, data: this.#columns.subarray(0, length) },
      {
        ...onePage,
        name: 'value',
        type: this.#double ? ('DOUBLE' as const) : ('FLOAT' as const),
        nullable: false,
        data: this.#values.subarray(0, length),
        encoding: 'PLAIN' as const,
        statistics: false,
      },
    ]
  }
}
