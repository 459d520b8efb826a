import { z } from 'zod'
import type { RecordedDtype, RecordedRun, Recording } from '../recording/recording.ts'
import { ForwardSequences, IndexMeaning } from './forward-positions.ts'
import { describeIssue } from './json-file.ts'
import { countNumbers, type JsonLine, scanJsonLines } from './json-lines.ts'
import { JsonNumbers } from './json-numbers.ts'
import { FaultList, invalid, type RecordingFile } from './recording-file.ts'
import { RunBounds } from './run-bounds.ts'
import { dimensionsOf } from './sidecar.ts'
import { SlabTable } from './slab-table.ts'

const index = z.int().min(0).max(0xffff_ffff)
const name = z.string().min(1).max(256)
const values = z.array(z.unknown()).length(0)

/** One line of either dialect, under one name for each thing. */
interface Line {
  readonly writer: string
  readonly engine: string
  readonly checkpoint: string
  readonly index: number
  readonly dtype: string
  readonly shape: unknown
}

const DIALECTS = {
  'checkpoint-jsonl': z
    .looseObject({
      checkpoint: name,
      team: name,
      token_idx: index,
      dtype: z.string(),
      shape: z.unknown(),
      values,
      source: z.string().optional(),
    })
    .transform(
      ({ team, source, checkpoint, token_idx, dtype, shape }): Line => ({
        writer: team,
        engine: source ?? team,
        checkpoint,
        index: token_idx,
        dtype,
        shape,
      }),
    ),
  'team-jsonl': z
    .looseObject({
      team: name,
      ref: z.union([z.string(), z.boolean(), z.number()]).nullish(),
      chk: name,
      tok: index,
      dims: z.unknown(),
      dtype: z.string(),
      values,
    })
    .transform(
      ({ team, ref, chk, tok, dims, dtype }): Line => ({
        writer: ref == null ? team : `${team}/${ref}`,
        engine: team,
        checkpoint: chk,
        index: tok,
        dtype,
        shape: dims,
      }),
    ),
}
export type Dialect = keyof typeof DIALECTS

/** Which dialect a file's first line speaks. */
export function dialectOf(record: unknown): Dialect | undefined {
  const keys = typeof record === 'object' && record !== null ? Object.keys(record) : []
  if (keys.includes('checkpoint') && keys.includes('token_idx')) return 'checkpoint-jsonl'
  if (keys.includes('chk') && keys.includes('tok')) return 'team-jsonl'
  return undefined
}

const DTYPES: Readonly<Record<string, RecordedDtype>> = {
  f64: 'F64',
  float64: 'F64',
  double: 'F64',
  f32: 'F32',
  float32: 'F32',
  float: 'F32',
  f16: 'F16',
  float16: 'F16',
  half: 'F16',
  bf16: 'BF16',
  bfloat16: 'BF16',
}

/**
 * The dialects of the project that this one succeeds. They state no prompt and no model; what was written as 0.0 in the place of NaN
 * cannot be told here. A run for each writer, and for each prompt that it began anew.
 */
export function openCheckpointJsonl(file: RecordingFile, dialect: Dialect): Recording {
  const numbers = new JsonNumbers(file)
  try {
    return recordingOf(file, dialect, numbers)
  } catch (error) {
    numbers.stop()
    throw error
  }
}

function recordingOf(file: RecordingFile, dialect: Dialect, numbers: JsonNumbers): Recording {
  const meanings = meaningsOf(file, dialect)
  const faults = new FaultList()
  const bounds = new RunBounds()
  const runs = new Map<string, { engine: string; slabs: SlabTable }>()
  const sequences = new Map([...meanings].map(([writer, { isCounter }]) => [writer, new ForwardSequences(isCounter)]))
  const begin = (writer: string) => {
    const sequence = new ForwardSequences(false)
    sequences.set(writer, sequence)
    return sequence
  }
  let order = 0
  for (const scanned of scanJsonLines(file)) {
    const { line, byteOffset } = scanned
    const place = { file: file.path, line, byteOffset }
    const checked = parseLine(scanned, dialect)
    if ('kind' in checked) {
      faults.add(checked.kind, place, checked.message)
      continue
    }
    const { writer, engine, checkpoint } = checked
    const extent = extentOf(checked.shape)
    const dtype = DTYPES[checked.dtype.toLowerCase()]
    const values = extent === undefined ? 0 : extent.rows * extent.width
    const there = scanned.values === undefined ? 0 : countNumbers(file, scanned.values, values)
    const recordOrder = order++
    if (extent === undefined) faults.add('malformed', place, `has the shape ${JSON.stringify(checked.shape)}`)
    else if (dtype === undefined) faults.add('malformed', place, `has the dtype ${checked.dtype}`)
    else if (there === 0) faults.add('wrong-count', place, 'has no values')
    else if (there > values || (there > extent.width && there % extent.width > 0)) {
      faults.add('wrong-count', place, `has ${there} values, and its shape says ${extent.rows} x ${extent.width}`)
    } else {
      const { width } = extent
      const prefix = there < width
      const count = prefix ? 1 : Math.floor(there / width)
      const assigned = (sequences.get(writer) ?? begin(writer)).assign(checkpoint, checked.index, count)
      if (assigned === 'duplicate') {
        faults.add('duplicate', place, `${checkpoint} at token ${checked.index} of ${writer} was there before`)
        continue
      }
      const id = assigned.sequence === 0 ? writer : `${writer}#${assigned.sequence + 1}`
      let run = runs.get(id)
      if (run === undefined) {
        bounds.addRun(place)
        run = { engine, slabs: new SlabTable({ file: file.path, bounds, values: (...at) => numbers.read(...at) }) }
        runs.set(id, run)
      }
      const added = run.slabs.add({
        checkpoint,
        width,
        pos: assigned.pos,
        count,
        perRow: prefix ? there : width,
        dtype,
        coverage: prefix ? 'prefix' : 'all',
        dataOffset: scanned.values!.offset,
        order: recordOrder,
        line,
        byteOffset,
      })
      if (added === 'added') numbers.expect(scanned.values!, there, dtype)
      if (added === 'other-width') faults.add('wrong-count', place, `${checkpoint} had another width before`)
      if (added === 'out-of-order')
        faults.add('duplicate', place, `${checkpoint} at token ${checked.index} was there before`)
    }
  }
  if (runs.size === 0)
    throw invalid(
      { line: 1, byteOffset: 0, ...faults.list()[0], file: file.path },
      `holds no whole record: ${faults.list()[0]?.message ?? 'it is empty'}`,
    )
  return {
    path: file.path,
    format: dialect,
    runs: [...runs].map(
      ([
        id,
        {
          engine,
          slabs: { checkpoints },
        },
      ]): RecordedRun => {
        const widths = new Map([...checkpoints].map(([checkpoint, { width }]) => [checkpoint, width]))
        return { id, identity: { engine, ...dimensionsOf(widths) }, checkpoints }
      },
    ),
    faults: faults.list(),
    close: () => numbers.close(),
  }
}

/** Enough to tell what an index means. */
const [TELLING_RECORDS, TELLING_BYTES] = [256, 4 << 20]

/** What `token_idx` means to each writer of the file, by how it begins. */
function meaningsOf(file: RecordingFile, dialect: Dialect): Map<string, IndexMeaning> {
  const meanings = new Map<string, IndexMeaning>()
  let seen = 0
  for (const scanned of scanJsonLines(file)) {
    const line = parseLine(scanned, dialect)
    if (++seen > TELLING_RECORDS && scanned.byteOffset > TELLING_BYTES) break
    if ('kind' in line) continue
    const meaning = meanings.get(line.writer) ?? new IndexMeaning()
    meanings.set(line.writer, meaning)
    meaning.see(line.checkpoint, line.index)
  }
  return meanings
}

function parseLine({ record, problem }: JsonLine, dialect: Dialect): Line | NonNullable<JsonLine['problem']> {
  if (problem !== undefined) return problem
  const checked = DIALECTS[dialect].safeParse(record)
  return checked.success ? checked.data : { kind: 'malformed', message: describeIssue(checked.error) }
}

/** `[151936]`, `[1,151936]` or `[1, 12, 64]`, as text or as an array: all but the last are rows. */
function extentOf(shape: unknown): { rows: number; width: number } | undefined {
  const text = Array.isArray(shape) ? `[${shape.join(',')}]` : String(shape)
  if (!/^\[?\s*\d{1,9}(\s*[,x]\s*\d{1,9}){0,3}\s*\]?$/.test(text)) return undefined
  const dimensions = text.match(/\d+/g)!.map(Number)
  const width = dimensions.pop()!
  const rows = dimensions.reduce((product, dimension) => product * dimension, 1)
  return width > 0 && rows > 0 && rows <= 0xffff_ffff ? { rows, width } : undefined
}
