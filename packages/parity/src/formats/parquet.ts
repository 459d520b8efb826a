import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead } from 'hyparquet'
import type { RecordedRun, Recording } from '../recording/recording.ts'
import { runHeader } from './identity-json.ts'
import { checkJson } from './json-file.ts'
import { checkPages, chunkStart } from './parquet-pages.ts'
import { HEADER_KEY, ParquetHash, type ParquetHeader, parquetHeaderSchema, SHA256_KEY } from './parquet-schema.ts'
import { FaultList, invalid, type RecordingFile, unreadableAt } from './recording-file.ts'
import { SlabTable } from './slab-table.ts'
import { SpoolFile } from './spool-file.ts'
import { integersOf } from './tensor-run.ts'
import { DTYPE_SIZES, TensorReader } from './tensor-values.ts'

const MAX_FOOTER_BYTES = 64 << 20
const MAX_GROUP_ROWS = 1 << 20

/** Parquet as `convert` writes it (write/write-parquet.ts); its values are unpacked into a temporary file. */
export async function openParquet(file: RecordingFile): Promise<Recording> {
  const faults = new FaultList()
  const spool = new SpoolFile(file.path)
  let values: RecordingFile
  let tables: Tables
  const at = { file: file.path, byteOffset: Math.max(0, file.size - 8) }
  try {
    const { metadata, header, text, sha256, footerStart } = await readFooter(file)
    tables = new Tables(file, header, text, spool, faults)
    at.byteOffset = footerStart
    await eachGroup(file, metadata, tables, at)
    tables.finish(sha256)
    values = spool.finish()
  } catch (error) {
    spool.discard()
    if (error instanceof Error && !('code' in error && String(error.code).endsWith('_RECORDING'))) {
      throw invalid({ file: file.path, byteOffset: at.byteOffset }, `is no sound Parquet: ${error.message}`)
    }
    throw error
  }
  tables.values = values
  const close = () => {
    file.close()
    values.close()
  }
  return { path: file.path, format: 'parquet', runs: tables.runs(), faults: faults.list(), close }
}

async function readFooter(file: RecordingFile) {
  const end = file.bytes(Math.max(0, file.size - 8), 8)
  if (end.toString('latin1', 4) !== 'PAR1')
    throw invalid({ file: file.path, byteOffset: file.size }, 'has no footer: it was cut')
  const length = end.readUInt32LE(0)
  if (length > Math.min(MAX_FOOTER_BYTES, file.size - 12)) {
    throw invalid({ file: file.path, byteOffset: file.size - 8 }, `says that its footer has ${length} bytes`)
  }
  const footer = { file: file.path, byteOffset: file.size - 8 - length }
  const metadata = await parquetMetadataAsync(asyncBuffer(file))
  const meta = new Map(metadata.key_value_metadata?.map(({ key, value }) => [key, value]))
  const text = meta.get(HEADER_KEY)
  if (text === undefined)
    throw unreadableAt(footer, `is Parquet, and not of plumbline-parity convert: it has no ${HEADER_KEY}`)
  const header = checkJson(footer, text, parquetHeaderSchema)
  return { metadata, header, text, footerStart: footer.byteOffset, sha256: meta.get(SHA256_KEY) }
}

function asyncBuffer(file: RecordingFile): AsyncBuffer {
  return {
    byteLength: file.size,
    slice(start, end = file.size) {
      const bytes = file.bytes(start, end - start)
      return new Uint8Array(bytes).buffer
    },
  }
}

/** What one row says; `run` to `pos` are the same for all values of a position. */
interface Row {
  readonly run: string
  readonly checkpoint: string
  readonly phase: string | null
  readonly pos: number
}

const COLUMNS = ['run', 'checkpoint', 'phase', 'pos', 'col', 'value'] as const

/** `place`: where it is at. */
async function eachGroup(
  file: RecordingFile,
  metadata: FileMetaData,
  tables: Tables,
  place: { file: string; byteOffset: number },
): Promise<void> {
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows)
    if (!(rows >= 0 && rows <= MAX_GROUP_ROWS)) throw invalid(place, `has a row group of ${rows} rows`)
    checkPages(file, group)
    place.byteOffset = chunkStart(group)
    tables.groupAt = place.byteOffset
    const read: Record<string, ArrayLike<unknown>> = {}
    await parquetRead({
      file: asyncBuffer(file),
      metadata,
      columns: [...COLUMNS],
      rowStart,
      rowEnd: rowStart + rows,
      onChunk: ({ columnName, columnData }) => {
        read[columnName] = columnData
      },
    })
    for (const name of COLUMNS) {
      if (read[name]?.length !== rows) throw invalid(place, `has no ${name} for each of ${rows} rows`)
    }
    const { run, checkpoint, phase, pos, col, value } = read as unknown as {
      [Column in 'run' | 'checkpoint' | 'phase']: string[]
    } & { [Column in 'pos' | 'col' | 'value']: number[] }
    for (let row = 0; row < rows; row++) {
      tables.add(run[row]!, checkpoint[row]!, phase[row] ?? null, pos[row]!, col[row]!, value[row]!)
    }
    rowStart += rows
  }
}

/** Rows become positions, positions slabs. */
class Tables {
  values: RecordingFile | undefined
  readonly #file: RecordingFile
  readonly #header: ParquetHeader
  readonly #spool: SpoolFile
  readonly #faults: FaultList
  readonly #hash: ParquetHash
  readonly #slabs: Map<string, SlabTable>
  #last: Row | undefined
  #columns: number[] = []
  #numbers: number[] = []
  #order = 0
  /** Where the row group begins whose rows are added. */
  groupAt = 0
  #lastGroupAt = 0

  constructor(file: RecordingFile, header: ParquetHeader, text: string, spool: SpoolFile, faults: FaultList) {
    this.#file = file
    this.#header = header
    this.#spool = spool
    this.#faults = faults
    this.#hash = new ParquetHash(text)
    const reader = new TensorReader()
    this.#slabs = new Map(
      header.runs.map(({ id }) => [
        id,
        new SlabTable({
          file: file.path,
          values: ({ dataOffset, dtype, perRow }, first, rows) =>
            reader.read(this.values!, dataOffset, dtype === 'F64' ? 'F64' : 'F32', (first + rows) * perRow),
          columns: ({ dataOffset, dtype, perRow }) => {
            const offset = dataOffset + perRow * (dtype === 'F64' ? DTYPE_SIZES.F64 : DTYPE_SIZES.F32)
            return integersOf({ name: '', dtype: 'I32', shape: [perRow], file: this.values!, offset }, 0, perRow)
          },
        }),
      ]),
    )
  }

  add(run: string, checkpoint: string, phase: string | null, pos: number, column: number, value: number): void {
    const last = this.#last
    if (last?.pos !== pos || last.checkpoint !== checkpoint || last.run !== run || last.phase !== phase) {
      this.#finishPosition()
      this.#last = { run, checkpoint, phase, pos }
      this.#lastGroupAt = this.groupAt
    }
    this.#columns.push(column)
    this.#numbers.push(value)
  }

  finish(sha256: string | undefined): void {
    this.#finishPosition()
    const found = this.#hash.digest()
    if (found !== sha256)
      this.#faults.add('checksum', { file: this.#file.path, byteOffset: 0 }, `the sha256 of its rows is ${found}`)
  }

  runs(): RecordedRun[] {
    return this.#header.runs.map((run) => {
      const { checkpoints: _, ...header } = run
      return { ...runHeader(header), checkpoints: this.#slabs.get(run.id)!.checkpoints }
    })
  }

  #finishPosition(): void {
    const row = this.#last
    if (row === undefined) return
    const columns = Int32Array.from(this.#columns)
    const numbers = Float64Array.from(this.#numbers, (value) => (Number.isNaN(value) ? Number.NaN : value))
    this.#columns = []
    this.#numbers = []
    const perRow = numbers.length
    this.#hash.position(row.run, row.checkpoint, row.phase, row.pos, perRow)
    this.#hash.values(columns, numbers)
    const form = this.#header.runs.find(({ id }) => id === row.run)?.checkpoints[row.checkpoint]
    const place = { file: this.#file.path, byteOffset: this.#lastGroupAt }
    if (form === undefined) {
      this.#faults.add('malformed', place, `${row.checkpoint} of run ${row.run} is not in the header`)
      return
    }
    const { width, dtype } = form
    const inOrder = columns.every((column, index) => column === index)
    const coverage = inOrder && perRow === width ? 'all' : inOrder && perRow < width ? 'prefix' : 'columns'
    const dataOffset = this.#spool.size
    this.#spool.append(new Uint8Array((dtype === 'F64' ? numbers : Float32Array.from(numbers)).buffer))
    if (coverage === 'columns') this.#spool.append(new Uint8Array(columns.buffer))
    const added = this.#slabs.get(row.run)!.add({
      checkpoint: row.checkpoint,
      width,
      ...((row.phase === 'prefill' || row.phase === 'decode') && { phase: row.phase }),
      pos: row.pos,
      count: 1,
      perRow,
      dtype,
      coverage,
      dataOffset,
      order: this.#order++,
      byteOffset: this.#lastGroupAt,
    })
    if (added !== 'added')
      this.#faults.add('duplicate', place, `${row.checkpoint} at position ${row.pos} is there twice`)
  }
}
