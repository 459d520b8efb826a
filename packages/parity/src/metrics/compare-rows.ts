import type { AlignedSide, CommonRows } from '../alignment/align.ts'
import { NumberRows } from '../alignment/number-rows.ts'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import {
  type ComparedCheckpoint,
  LOGIT_METRIC_NAMES,
  type LogitMetricName,
  METRIC_NAMES,
  type MetricName,
} from '../comparison/comparison.ts'
import type { Fitness } from '../fitness/fitness.ts'
import type { RecordedDtype, Slab, Values } from '../recording/recording.ts'
import { emptyLogitColumns, logitNumbers } from './logit-metrics.ts'
import { compareRow, SUM, sizeRow } from './row-metrics.ts'
import { RowSums } from './row-sums.ts'
import { LOGITS_AT, READ_VALUES, ROW_NUMBERS } from './row-tasks.ts'

/** From so many values on a second thread pays. */
const MANY_VALUES = 16 * 1024 * 1024

export interface MeasuredCheckpoint extends Omit<ComparedCheckpoint, 'tolerance' | 'exceeding'> {
  /** Mean squares of the reference's rows, over the values compared. */
  readonly sizes: Float64Array
  /** Only for logits: by how much the reference's first token leads the candidate's, in the reference's logits. */
  readonly lostLeads?: Float64Array
}

export interface PassOptions {
  readonly onProgress?: (rows: number, ofRows: number) => void
}

interface Columns {
  readonly positions: Uint32Array
  readonly metrics: Record<MetricName, Float64Array>
  readonly logits?: Record<LogitMetricName, Float64Array>
  readonly sizes: Float64Array
  readonly lostLeads?: Float64Array
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
  fitness: BothFitness,
  { onProgress }: PassOptions,
): MeasuredCheckpoint[] {
  // One stretch each: checkpoint, first row among its rows, start, end, the slabs of both.
  const tasks = new NumberRows(6, (numbers, from) => numbers.subarray(from, from + 6))
  const orders: number[] = []
  const columns = common.map(({ name, stretches }, index) => {
    const checkpoint = candidate.run.checkpoints.get(name)!
    let count = 0
    for (const stretch of stretches) {
      orders.push(checkpoint.slab(stretch.candidate).order)
      tasks.push(index, count, stretch.start, stretch.end, stretch.candidate, stretch.reference)
      count += stretch.end - stretch.start
    }
    return emptyColumns(name, count)
  })
  const ofRows = columns.reduce((sum, { positions }) => sum + positions.length, 0)
  const values = columns.reduce((sum, { positions }, index) => sum + positions.length * common[index]!.width, 0)
  const sums = new RowSums({ threaded: values >= MANY_VALUES })
  let rows = 0
  for (const task of inOrder(orders)) {
    const [index, row, start, end, left, right] = tasks.at(task)! as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const { name, width } = common[index]!
    const a = candidate.run.checkpoints.get(name)!.slab(left)
    const b = reference.run.checkpoints.get(name)!.slab(right)
    compareStretch(name, a, b, start, end, columns[index]!, row, width, fitness, sums)
    rows += end - start
    onProgress?.(rows, ofRows)
  }
  sums.finish()
  sums.end()
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
    ...(name === 'logits' && { logits: emptyLogitColumns(count), lostLeads: new Float64Array(count) }),
    sizes: new Float64Array(count),
    compared: Number.POSITIVE_INFINITY,
  }
}

/** Indices into `orders`, by their order; those of the same order stay as they are. */
function inOrder(orders: readonly number[]): Uint32Array {
  return Uint32Array.from(orders, (_, index) => index).sort((a, b) => orders[a]! - orders[b]! || a - b)
}

interface BothFitness {
  readonly candidate: Fitness
  readonly reference: Fitness
}

function compareStretch(
  name: string,
  a: Slab,
  b: Slab,
  start: number,
  end: number,
  columns: Columns,
  firstRow: number,
  width: number,
  fitness: BothFitness,
  sums: RowSums,
): void {
  const gather = gathering(a, b)
  const ulpSize = Math.max(ULP_IN_F32[a.dtype], ULP_IN_F32[b.dtype])
  const xWidth = a.coverage.perRow
  const yWidth = b.coverage.perRow
  const step = Math.max(1, Math.floor(READ_VALUES / Math.max(xWidth, yWidth)))
  const logits = columns.logits === undefined ? 'none' : xWidth === width ? 'whole' : 'part'
  for (let position = start; position < end; position += step) {
    const count = Math.min(step, end - position)
    const row = firstRow + position - start
    if (gather === undefined) {
      sums.add({ a, b, position, count, logits }, (x, y, numbers) => {
        for (let index = 0; index < count; index++) {
          const at = position + index
          const from = index * xWidth
          const sumsAt = index * ROW_NUMBERS
          write(columns, row + index, at, numbers, sumsAt, xWidth, ulpSize)
          if (columns.logits !== undefined) writeLogits(columns, row + index, numbers, sumsAt + LOGITS_AT)
          const squares = numbers[sumsAt + SUM.candidateSquares]!
          fitness.candidate.row(name, a, at, x, from, xWidth, squares, numbers[sumsAt + SUM.candidateTiny]!)
          const theirs = numbers[sumsAt + SUM.referenceSquares]!
          fitness.reference.row(name, b, at, y, from, xWidth, theirs, numbers[sumsAt + SUM.referenceTiny]!)
        }
      })
      continue
    }
    const x = a.read(position - a.pos, count).slice()
    const y = b.read(position - b.pos, count)
    for (let index = 0; index < count; index++) {
      const at = position + index
      const xRow = x.subarray(index * xWidth, (index + 1) * xWidth)
      const yRow = y.subarray(index * yWidth, (index + 1) * yWidth)
      const [xPart, yPart] = gather(xRow, yRow, at - a.pos, at - b.pos)
      compareRow(xPart, yPart, rowNumbers)
      write(columns, row + index, at, rowNumbers, 0, yPart.length, ulpSize)
      if (columns.logits !== undefined && yPart.length > 0) {
        const same = rowNumbers[SUM.ulp] === 0 && rowNumbers[SUM.maxDifference] === 0
        writeLogits(columns, row + index, logitNumbers(xPart, yPart, yPart.length === width, same), 0)
      }
      showAlone(fitness.candidate, name, a, at, xRow)
      showAlone(fitness.reference, name, b, at, yRow)
    }
  }
}

/** Written anew for each row. */
const rowNumbers = new Float64Array(ROW_NUMBERS)

function writeLogits({ logits, lostLeads }: Columns, row: number, numbers: ArrayLike<number>, from: number): void {
  if (logits === undefined || lostLeads === undefined) return
  for (const [at, metric] of LOGIT_METRIC_NAMES.entries()) logits[metric][row] = numbers[from + at]!
  lostLeads[row] = numbers[from + LOGIT_METRIC_NAMES.length]!
}

function showAlone(fitness: Fitness, name: string, slab: Slab, position: number, row: Values): void {
  const { squares, tiny } = sizeRow(row)
  fitness.row(name, slab, position, row, 0, row.length, squares, tiny)
}

/** Fitness of the rows of one side that are compared with nothing. */
export function showRows(fitness: Fitness, name: string, slab: Slab, start: number, end: number): void {
  const { perRow } = slab.coverage
  const step = Math.max(1, Math.floor(READ_VALUES / perRow))
  for (let position = start; position < end; position += step) {
    const count = Math.min(step, end - position)
    const values = slab.read(position - slab.pos, count)
    for (let index = 0; index < count; index++) {
      showAlone(fitness, name, slab, position + index, values.subarray(index * perRow, (index + 1) * perRow))
    }
  }
}

function write(
  columns: Columns,
  row: number,
  position: number,
  sums: Float64Array,
  /** Where in `sums` those of this row are. */
  from: number,
  count: number,
  ulpSize: number,
): void {
  const { positions, metrics, sizes } = columns
  columns.compared = Math.min(columns.compared, count)
  positions[row] = position
  const squared = sums[from + SUM.squaredDifference]!
  const referenceSquares = sums[from + SUM.referenceSquares]!
  const nmse = squared === 0 ? 0 : squared / referenceSquares
  const norms = Math.sqrt(sums[from + SUM.candidateSquares]! * referenceSquares)
  sizes[row] = count === 0 ? 0 : referenceSquares / count
  metrics.max_abs[row] = sums[from + SUM.maxDifference]!
  metrics.mean_abs[row] = count === 0 ? 0 : sums[from + SUM.sumDifference]! / count
  metrics.nmse[row] = nmse
  metrics.relative_l2[row] = Math.sqrt(nmse)
  metrics.cosine[row] = squared === 0 ? 1 : sums[from + SUM.product]! / norms
  metrics.max_ulp[row] = Math.ceil(sums[from + SUM.ulp]! / ulpSize)
}

/** Steps of F32 that one step of the type takes (in its range of normal numbers). */
const ULP_IN_F32: Readonly<Record<RecordedDtype, number>> = { F64: 1, F32: 1, F16: 2 ** 13, BF16: 2 ** 16 }

type Gather = (x: Values, y: Values, xRow: number, yRow: number) => [Values, Values]

/** The values of two rows that are of the same columns; undefined where those are all that both rows hold. */
function gathering(a: Slab, b: Slab): Gather | undefined {
  const ours = a.coverage
  const theirs = b.coverage
  if (ours.kind !== 'columns' && theirs.kind !== 'columns') {
    if (ours.perRow === theirs.perRow) return undefined
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
