import { join } from 'node:path'
import { PlumblineError, type TraceNumber, type TraceRecord, traceRecordSchema } from '@plumbline/protocol'
import { ValueStatistics } from '../metrics/value-statistics.ts'
import type { Checkpoint, Fault, Place, RecordedRun, Recording, Slab, Values } from '../recording/recording.ts'
import { type JsonLine, scanJsonLines } from './json-lines.ts'
import { NumberScanner } from './number-scanner.ts'
import { FaultList, knownPlace, RecordingFile, withoutPlace } from './recording-file.ts'

/** Read at once, so that a large slab does not fill the memory. */
const VALUES_AT_ONCE = 1 << 20
/** Of mean and rms, which depend on the order of summation. */
const RELATIVE_ERROR = 1e-6

/** What can be found wrong by reading every value: unreadable ones, non-finite ones, and in a trace those that its records belie. */
export function checkValues(recording: Recording, onProgress?: (done: number, of: number) => void): readonly Fault[] {
  const faults = new FaultList()
  const checkpoints = recording.runs.flatMap(({ checkpoints }) => [...checkpoints.values()])
  const total = checkpoints.reduce((sum, { slabCount }) => sum + slabCount, 0)
  let done = 0
  for (const checkpoint of checkpoints) {
    for (let index = 0; index < checkpoint.slabCount; index++) {
      const slab = checkpoint.slab(index)
      try {
        checkFinite(checkpoint.name, slab, faults)
      } catch (error) {
        addUnreadable(faults, slab, error)
      }
      onProgress?.(++done, total)
    }
  }
  if (recording.format === 'plumbline-trace') {
    for (const run of recording.runs) checkTraceRecords(run, join(recording.path, 'trace.jsonl'), faults)
  }
  return faults.list()
}

/** Of a large trace, values that compare reads for this: evenly spread records stand for the others, which `validate` reads too. */
const MOST_VALUES = 1 << 25
/** Of a record of a trace, with the few values that its line shows. */
const MOST_LINE_BYTES = 1 << 16

/** Records of a trace without other faults whose statistics are not those of their values. */
export function wrongStatistics(recording: Recording): readonly Fault[] {
  if (recording.format !== 'plumbline-trace' || recording.faults.length > 0) return []
  const faults = new FaultList()
  const file = new RecordingFile(join(recording.path, 'trace.jsonl'))
  try {
    for (const { checkpoints } of recording.runs) {
      const slabs = [...checkpoints.values()].flatMap((checkpoint) =>
        Array.from({ length: checkpoint.slabCount }, (_, index) => ({ checkpoint, index })),
      )
      const step = Math.ceil(valuesIn([...checkpoints.values()]) / MOST_VALUES)
      for (let at = 0; at < slabs.length; at += Math.max(1, step)) {
        const { checkpoint, index } = slabs[at]!
        const slab = checkpoint.slab(index)
        try {
          const lie = statisticsLie(statedAt(file, slab), slab)
          if (lie !== undefined) faults.add('statistics', knownPlace(slab.place), `${checkpoint.name}: ${lie}`)
        } catch (error) {
          addUnreadable(faults, slab, error)
        }
      }
    }
  } finally {
    file.close()
  }
  return faults.list()
}

/** Where the error says, which is nearer than where the slab begins. */
function addUnreadable(faults: FaultList, slab: Slab, error: unknown): void {
  const { message } = error as Error
  const said = error instanceof PlumblineError && 'byteOffset' in error.fields
  const place = knownPlace(said ? (error.fields as unknown as Place) : slab.place)
  faults.add('malformed', place, withoutPlace(message, place))
}

function valuesIn(checkpoints: readonly Checkpoint[]): number {
  let count = 0
  for (const checkpoint of checkpoints) {
    for (let index = 0; index < checkpoint.slabCount; index++) count += checkpoint.slab(index).count * checkpoint.width
  }
  return count
}

/** What the record of a slab states. Throws where its line is not whole: the reader has passed over the values in it. */
function statedAt(file: RecordingFile, { place }: Slab): TraceRecord['stats'] {
  const bytes = file.bytes(place.byteOffset!, MOST_LINE_BYTES)
  const end = bytes.indexOf(10)
  return traceRecordSchema.parse(JSON.parse(bytes.toString('utf8', 0, end < 0 ? bytes.length : end))).stats
}

function checkFinite(name: string, slab: Slab, faults: FaultList): void {
  const { perRow } = slab.coverage
  let count = 0
  let first: number | undefined
  for (const { values, row } of chunksOf(slab)) {
    for (let index = 0; index < values.length; index++) {
      if (Number.isFinite(values[index])) continue
      first ??= slab.pos + row + Math.floor(index / perRow)
      count++
    }
  }
  if (count > 0)
    faults.add(
      'non-finite',
      knownPlace(slab.place),
      `${name} has ${count} non-finite values, from position ${first} on`,
    )
}

function* chunksOf(slab: Slab): Generator<{ values: Values; row: number }> {
  const rows = Math.max(1, Math.floor(VALUES_AT_ONCE / slab.coverage.perRow))
  for (let row = 0; row < slab.count; row += rows) {
    yield { values: slab.read(row, Math.min(rows, slab.count - row)), row }
  }
}

/** Each record's statistics and first values against the values themselves. */
function checkTraceRecords(run: RecordedRun, path: string, faults: FaultList): void {
  const file = new RecordingFile(path)
  const scanner = new NumberScanner(file)
  const next = new Map<string, number>()
  try {
    for (const line of scanJsonLines(file)) {
      const checked = traceRecordSchema.safeParse(line.record)
      if (!checked.success) continue
      const checkpoint = run.checkpoints.get(checked.data.name)
      const index = next.get(checked.data.name) ?? 0
      if (checkpoint === undefined || index >= checkpoint.slabCount) continue
      const slab = checkpoint.slab(index)
      // One that was not taken in has its fault already.
      if (slab.place.byteOffset !== line.byteOffset) continue
      next.set(checked.data.name, index + 1)
      const lie = lieOf(checked.data, line, slab, scanner)
      if (lie !== undefined) faults.add('statistics', knownPlace(slab.place), `${checked.data.name}: ${lie}`)
    }
  } finally {
    file.close()
  }
}

function lieOf({ stats }: TraceRecord, { values }: JsonLine, slab: Slab, scanner: NumberScanner): string | undefined {
  const lie = statisticsLie(stats, slab)
  if (lie !== undefined || values === undefined || values.bytes === 0) return lie
  return firstValuesLie(values.offset, values.bytes, slab, scanner)
}

function statisticsLie(stats: TraceRecord['stats'], slab: Slab): string | undefined {
  const statistics = new ValueStatistics()
  for (const { values } of chunksOf(slab)) statistics.add(values)
  const found = statistics.result()
  for (const [name, number] of Object.entries(found)) {
    const said = Number(stats[name as keyof typeof stats] satisfies TraceNumber)
    const exact = name !== 'mean' && name !== 'rms'
    const apart = Math.abs(said - number) > (exact ? 0 : RELATIVE_ERROR * Math.max(found.rms, Number.MIN_VALUE))
    if (apart || Number.isNaN(said) !== Number.isNaN(number))
      return `its ${name} is ${number}, and the record says ${said}`
  }
  return undefined
}

const SHOWN_VALUES = 8

function firstValuesLie(offset: number, bytes: number, slab: Slab, scanner: NumberScanner): string | undefined {
  const { perRow } = slab.coverage
  const count = Math.min(SHOWN_VALUES, slab.count * perRow)
  const said = new Float32Array(count)
  scanner.seek(offset)
  try {
    scanner.read(said)
  } catch (error) {
    return (error as Error).message
  }
  if (scanner.offset > offset + bytes) return `its line shows fewer than ${count} values`
  const real = slab.read(0, Math.min(slab.count, Math.ceil(count / perRow)))
  const differs = said.findIndex((value, index) => !Object.is(value, Math.fround(real[index]!)))
  return differs < 0 ? undefined : `value ${differs} is ${real[differs]}, and its line shows ${said[differs]}`
}
