import type { AlignedSide, CommonRows } from '../alignment/align.ts'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import {
  type ComparedCheckpoint,
  type LogitMetricName,
  METRIC_NAMES,
  type MetricName,
} from '../comparison/comparison.ts'
import type { Fitness } from '../fitness/fitness.ts'
import type { Checkpoint, RecordedDtype, Slab, Values } from '../recording/recording.ts'
import { emptyLogitColumns, logitMetrics, sameLogits } from './logit-metrics.ts'
import { comparePair, SUM, SUMS, samePair, sizeRow } from './row-metrics.ts'

/** Values read at once from each side: both together stay in a core's own cache. */
const BLOCK_VALUES = 64 * 1024

export type MeasuredCheckpoint = Omit<ComparedCheckpoint, 'tolerance' | 'exceeding'>

export interface PassOptions {
  readonly onProgress?: (rows: number, ofRows: number) => void
}

interface Columns {
  readonly positions: Uint32Array
  readonly metrics: Record<MetricName, Float64Array>
  readonly logits?: Record<LogitMetricName, Float64Array>
  /** Of the row of which the fewest were. */
  compared: number
}

/**
 * Metrics of every common row and fitness of every row of both sides, each read once, in the order in which the candidate's were
 * written.
 */
export function compareRows(
  candidate: AlignedSide,
  reference: AlignedSide,
  common: readonly CommonRows[],
  fitness: { readonly candidate: Fitness; readonly reference: Fitness },
  { onProgress }: PassOptions,
): MeasuredCheckpoint[] {
  const tasks: { index: number; row: number; stretch: CommonRows['stretches'][number]; order: number }[] = []
  const columns = common.map((rows, index) => {
    let count = 0
    for (const stretch of rows.stretches) {
      const { order } = candidate.run.checkpoints.get(rows.name)!.slab(stretch.candidate)
      tasks.push({ index, row: count, stretch, order })
      count += stretch.end - stretch.start
    }
    return emptyColumns(rows.name, count)
  })
  tasks.sort((a, b) => a.order - b.order || a.index - b.index)
  const ofRows = columns.reduce((sum, { positions }) => sum + positions.length, 0)
  let rows = 0
  for (const { index, row, stretch } of tasks) {
    const { name } = common[index]!
    const left = candidate.run.checkpoints.get(name)!
    const right = reference.run.checkpoints.get(name)!
    compareStretch(name, left, right, stretch, columns[index]!, row, common[index]!.width, fitness)
    rows += stretch.end - stretch.start
    onProgress?.(rows, ofRows)
  }
  return common.map(({ name, width }, index) => {
    const place = checkpointPlace(name)!
    return { name, layer: place.layer, op: place.op, width, ...columns[index]! }
  })
}

function emptyColumns(name: string, count: number): Columns {
  const metrics = Object.fromEntries(METRIC_NAMES.map((metric) => [metric, new Float64Array(count)]))
  return {
    positions: new Uint32Array(count),
    metrics: metrics as Record<MetricName, Float64Array>,
    ...(name === 'logits' && { logits: emptyLogitColumns(count) }),
    compared: Number.POSITIVE_INFINITY,
  }
}

function compareStretch(
  name: string,
  left: Checkpoint,
  right: Checkpoint,
  { start, end, candidate, reference }: CommonRows['stretches'][number],
  columns: Columns,
  firstRow: number,
  width: number,
  fitness: { readonly candidate: Fitness; readonly reference: Fitness },
): void {
  const a = left.slab(candidate)
  const b = right.slab(reference)
  const sums = new Float64Array(SUMS)
  const gather = gathering(a, b)
  const ulpSize = Math.max(ULP_IN_F32[a.dtype], ULP_IN_F32[b.dtype])
  const step = Math.max(1, Math.floor(BLOCK_VALUES / Math.max(a.coverage.perRow, b.coverage.perRow)))
  for (let position = start; position < end; position += step) {
    const count = Math.min(step, end - position)
    const x = a.read(position - a.pos, count)
    const y = b.read(position - b.pos, count)
    for (let index = 0; index < count; index++) {
      const at = position + index
      const row = firstRow + at - start
      const xRow = x.subarray(index * a.coverage.perRow, (index + 1) * a.coverage.perRow)
      const yRow = y.subarray(index * b.coverage.perRow, (index + 1) * b.coverage.perRow)
      const [xPart, yPart] = gather(xRow, yRow, at - a.pos, at - b.pos)
      const same = sameBytes(xPart, yPart)
      if (same) {
        sizeRow(yPart, 0, yPart.length, sums)
        samePair(sums)
      } else comparePair(xPart, 0, yPart, 0, yPart.length, sums)
      columns.compared = Math.min(columns.compared, yPart.length)
      writeMetrics(columns, row, at, sums, yPart.length, ulpSize)
      if (columns.logits !== undefined && yPart.length > 0) {
        const whole = yPart.length === width
        const metrics = same ? sameLogits(whole) : logitMetrics(xPart, yPart, whole)
        for (const [metric, column] of Object.entries(columns.logits)) column[row] = metrics[metric as LogitMetricName]
      }
      show(fitness.candidate, name, a, at, xRow, xPart === xRow, sums, CANDIDATE)
      show(fitness.reference, name, b, at, yRow, yPart === yRow, sums, REFERENCE)
    }
  }
}

const CANDIDATE = [SUM.candidateSquares, SUM.candidateLargest, SUM.candidateSmallest] as const
const REFERENCE = [SUM.referenceSquares, SUM.referenceLargest, SUM.referenceSmallest] as const

/** `measured`: whether `sums` are of this whole row rather than of a part of it. */
function show(
  fitness: Fitness,
  name: string,
  slab: Slab,
  position: number,
  row: Values,
  measured: boolean,
  sums: Float64Array,
  [squares, largest, smallest]: readonly [number, number, number],
): void {
  if (measured) fitness.row(name, slab, position, row, sums[squares]!, sums[largest]!, sums[smallest]!)
  else showAlone(fitness, name, slab, position, row)
}

function showAlone(fitness: Fitness, name: string, slab: Slab, position: number, row: Values): void {
  const sums = new Float64Array(SUMS)
  sizeRow(row, 0, row.length, sums)
  const [squares, largest, smallest] = REFERENCE
  fitness.row(name, slab, position, row, sums[squares]!, sums[largest]!, sums[smallest]!)
}

/** Fitness of the rows of one side that are compared with nothing. */
export function showRows(fitness: Fitness, name: string, slab: Slab, start: number, end: number): void {
  const { perRow } = slab.coverage
  const step = Math.max(1, Math.floor(BLOCK_VALUES / perRow))
  for (let position = start; position < end; position += step) {
    const count = Math.min(step, end - position)
    const values = slab.read(position - slab.pos, count)
    for (let index = 0; index < count; index++) {
      showAlone(fitness, name, slab, position + index, values.subarray(index * perRow, (index + 1) * perRow))
    }
  }
}

function writeMetrics(
  { positions, metrics }: Columns,
  row: number,
  position: number,
  sums: Float64Array,
  count: number,
  ulpSize: number,
): void {
  positions[row] = position
  const squared = sums[SUM.squaredDifference]!
  const nmse = squared === 0 ? 0 : squared / sums[SUM.referenceSquares]!
  const sizes = Math.sqrt(sums[SUM.candidateSquares]! * sums[SUM.referenceSquares]!)
  metrics.max_abs[row] = sums[SUM.maxDifference]!
  metrics.mean_abs[row] = count === 0 ? 0 : sums[SUM.sumDifference]! / count
  metrics.nmse[row] = nmse
  metrics.relative_l2[row] = Math.sqrt(nmse)
  metrics.cosine[row] = squared === 0 ? 1 : sums[SUM.product]! / sizes
  metrics.max_ulp[row] = Math.ceil(sums[SUM.ulp]! / ulpSize)
}

/** Steps of F32 that one step of the type takes (in its range of normal numbers). */
const ULP_IN_F32: Readonly<Record<RecordedDtype, number>> = { F64: 1, F32: 1, F16: 2 ** 13, BF16: 2 ** 16 }

type Gather = (x: Values, y: Values, xRow: number, yRow: number) => [Values, Values]

/** The values of two rows that are of the same columns. */
function gathering(a: Slab, b: Slab): Gather {
  const ours = a.coverage
  const theirs = b.coverage
  if (ours.kind !== 'columns' && theirs.kind !== 'columns') {
    if (ours.perRow === theirs.perRow) return (x, y) => [x, y]
    const count = Math.min(ours.perRow, theirs.perRow)
    return (x, y) => [x.subarray(0, count), y.subarray(0, count)]
  }
  return (x, y, xRow, yRow) => {
    const xIds = ours.kind === 'columns' ? ours.columns(xRow) : undefined
    const yIds = theirs.kind === 'columns' ? theirs.columns(yRow) : undefined
    const xAt = indexBy(xIds, x.length)
    const yAt = indexBy(yIds, y.length)
    const shared = Array.from(yIds ?? xIds!).filter((id) => xAt(id) !== undefined && yAt(id) !== undefined)
    return [Float64Array.from(shared, (id) => x[xAt(id)!]!), Float64Array.from(shared, (id) => y[yAt(id)!]!)]
  }
}

function indexBy(ids: ArrayLike<number> | undefined, length: number): (id: number) => number | undefined {
  if (ids === undefined) return (id) => (id < length ? id : undefined)
  const places = new Map(Array.from(ids, (id, index) => [id, index]))
  return (id) => places.get(id)
}

function sameBytes(a: Values, b: Values): boolean {
  if (a.length !== b.length || a.BYTES_PER_ELEMENT !== b.BYTES_PER_ELEMENT || a[0] !== b[0] || a.at(-1) !== b.at(-1)) {
    return false
  }
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0
}

const bytesOf = (values: Values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)
