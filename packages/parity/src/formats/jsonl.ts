import { z } from 'zod'
import type { RecordedRun, Recording } from '../recording/recording.ts'
import { runHeader, runHeaderSchema } from './identity-json.ts'
import { checkJson, describeIssue } from './json-file.ts'
import { countNumbers, scanJsonLines } from './json-lines.ts'
import { JsonNumbers } from './json-numbers.ts'
import { FaultList, invalid, type RecordingFile } from './recording-file.ts'
import { RunBounds } from './run-bounds.ts'
import { fileSha256 } from './sha256-file.ts'
import { SlabTable } from './slab-table.ts'

/*
 * `convert --to jsonl`: a first line that names the format and the runs, a line a slab with all its values, and a last line with the
 * number of slabs and the sha256 of all bytes before it, so that a cut file shows.
 */
export const JSONL_FORMAT = 'plumbline-jsonl'

const headerSchema = z.object({
  format: z.literal(JSONL_FORMAT),
  v: z.literal(1),
  runs: z.array(runHeaderSchema).min(1),
})
const closedSchema = z.object({ closed: z.object({ records: z.int(), sha256: z.string() }) })
const slabSchema = z.object({
  /** Index into the runs of the header. */
  run: z.int().min(0),
  name: z.string().min(1).max(256),
  phase: z.enum(['prefill', 'decode']).optional(),
  pos: z.int().min(0).max(0xffff_ffff),
  n: z.int().min(1).max(0xffff_ffff),
  /** Of a full row; 0 where it is not known. */
  width: z.int().min(0).max(0xffff_ffff),
  dtype: z.enum(['F64', 'F32', 'F16', 'BF16']),
  coverage: z.enum(['all', 'prefix', 'columns']),
  per_row: z.int().min(1).max(0xffff_ffff),
  /** Of each row, one after another. */
  columns: z.array(z.int().min(0)).optional(),
})

export async function openJsonl(file: RecordingFile): Promise<Recording> {
  const numbers = new JsonNumbers(file)
  try {
    return await recordingOf(file, numbers)
  } catch (error) {
    numbers.stop()
    throw error
  }
}

async function recordingOf(file: RecordingFile, numbers: JsonNumbers): Promise<Recording> {
  const faults = new FaultList()
  const bounds = new RunBounds()
  let columns: { offset: number; ids: readonly number[] } | undefined
  const columnsAt = (offset: number): readonly number[] => {
    if (columns?.offset !== offset) columns = { offset, ids: columnsOfLine(file, offset) }
    return columns.ids
  }
  const tables: { header: ReturnType<typeof runHeader>; slabs: SlabTable; lineOffsets: number[] }[] = []
  let count = 0
  let closedAt: number | undefined
  let lastLine = 0
  for (const { line, byteOffset, record, values, problem } of scanJsonLines(file)) {
    const place = { file: file.path, line, byteOffset }
    lastLine = line
    if (line === 1) {
      const header = headerSchema.safeParse(record)
      if (!header.success) throw invalid(place, problem?.message ?? describeIssue(header.error))
      for (const run of header.data.runs) {
        bounds.addRun(place)
        const lineOffsets: number[] = []
        const slabs = new SlabTable({
          file: file.path,
          bounds,
          values: (entry, first, rows) => numbers.read(entry, first, rows),
          columns: ({ perRow, index }, row) => columnsAt(lineOffsets[index]!).slice(row * perRow, (row + 1) * perRow),
        })
        tables.push({ header: runHeader(run), slabs, lineOffsets })
      }
      continue
    }
    if (problem !== undefined) {
      faults.add(problem.kind, place, problem.message)
      continue
    }
    if (closedAt !== undefined) {
      faults.add('malformed', place, 'stands after the line that closes the file')
      continue
    }
    const closed = closedSchema.safeParse(record)
    if (closed.success) {
      closedAt = byteOffset
      if (closed.data.closed.records !== count) {
        faults.add('wrong-count', place, `there are ${count} whole records, and must be ${closed.data.closed.records}`)
      }
      const sha256 = await fileSha256(file.path, byteOffset)
      if (sha256 !== closed.data.closed.sha256)
        faults.add('checksum', place, `the sha256 of what stands before is ${sha256}`)
      continue
    }
    const checked = slabSchema.safeParse(record)
    if (!checked.success) {
      faults.add('malformed', place, describeIssue(checked.error))
      continue
    }
    count++
    const { run, name, phase, pos, n, width, dtype, coverage, per_row: perRow, columns: ids } = checked.data
    const table = tables[run]
    const there = values === undefined ? 0 : countNumbers(file, values, n * perRow)
    if (table === undefined) faults.add('malformed', place, `is of run ${run}, and there are ${tables.length}`)
    else if (there !== n * perRow)
      faults.add('wrong-count', place, `has ${there} values, and must have ${n} x ${perRow}`)
    else if (coverage === 'all' && perRow !== width)
      faults.add('wrong-count', place, `has ${perRow} of ${width} values`)
    else if ((coverage === 'columns' ? n * perRow : 0) !== (ids?.length ?? 0)) {
      faults.add('wrong-count', place, `has ${ids?.length ?? 0} columns for ${n} x ${perRow} values`)
    } else {
      const added = table.slabs.add({
        checkpoint: name,
        width,
        ...(phase && { phase }),
        pos,
        count: n,
        perRow,
        dtype,
        coverage,
        dataOffset: values!.offset,
        order: count - 1,
        line,
        byteOffset,
      })
      if (added === 'added') numbers.expect(values!, n * perRow, dtype)
      if (added === 'added' && coverage === 'columns') table.lineOffsets[table.slabs.length - 1] = byteOffset
      if (added === 'other-width') faults.add('wrong-count', place, `${name} had another width before`)
      if (added === 'out-of-order')
        faults.add('duplicate', place, `position ${pos} of ${name} was there before, or a later one`)
    }
  }
  if (tables.length === 0) throw invalid({ file: file.path, line: 1, byteOffset: 0 }, 'its first line names no runs')
  if (closedAt === undefined) {
    const end = { file: file.path, line: lastLine + 1, byteOffset: file.size }
    faults.add('truncated', end, 'the line that closes the file is not there')
  }
  const runs: RecordedRun[] = tables.map(({ header, slabs }) => ({ ...header, checkpoints: slabs.checkpoints }))
  return { path: file.path, format: 'jsonl', runs, faults: faults.list(), close: () => numbers.close() }
}

const MAX_COLUMNS_LINE_BYTES = 64 << 20

function columnsOfLine(file: RecordingFile, offset: number): readonly number[] {
  const bytes = file.bytes(offset, MAX_COLUMNS_LINE_BYTES)
  const newline = bytes.indexOf(10)
  const text = bytes.toString('utf8', 0, newline < 0 ? bytes.length : newline)
  return checkJson({ file: file.path, byteOffset: offset }, text, slabSchema).columns ?? []
}
