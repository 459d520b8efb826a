import type { Slab, Values } from '../recording/recording.ts'
import { TaskRing, threadProgram } from '../threads/task-ring.ts'
import { logitNumbers } from './logit-metrics.ts'
import { compareRow, SUM } from './row-metrics.ts'
import {
  BLOCK_ROWS,
  BLOCK_VALUES,
  describe,
  isComputed,
  LOGITS_AT,
  makeRowMemory,
  ROW_NUMBERS,
  RowTasks,
} from './row-tasks.ts'

/** Rows that both sides hold whole: `count` from `position` on. */
export interface RowsOfBoth {
  readonly a: Slab
  readonly b: Slab
  readonly position: number
  readonly count: number
  readonly logits: 'none' | 'whole' | 'part'
}

/** Called with the values of a block, which stay as they are until it returns, and ROW_NUMBERS for each row. */
export type BlockDone = (x: Values, y: Values, numbers: Float64Array) => void

/** The numbers of rows, block by block: here, or about half of them on a thread beside, which reads files by itself. */
export class RowSums {
  readonly #tasks: RowTasks
  readonly #ring: TaskRing
  /** Blocks that are on their way, the oldest first. */
  readonly #pending: { task: number; rows: RowsOfBoth; done: BlockDone }[] = []
  #next = 0

  constructor({ threaded }: { readonly threaded: boolean }) {
    const memory = makeRowMemory()
    this.#tasks = new RowTasks(memory)
    this.#ring = new TaskRing(this.#tasks.blocks.length, (task) => this.#tasks.compute(task))
    if (threaded) this.#ring.share(threadProgram('./row-tasks-thread', import.meta.url), memory)
  }

  /** `done` is called now or at a later call. */
  add(rows: RowsOfBoth, done: BlockDone): void {
    const { a, b, position, count, logits } = rows
    const width = a.coverage.perRow
    const fits = count <= BLOCK_ROWS && count * width <= BLOCK_VALUES
    const x = fits ? a.read.stored?.(position - a.pos) : undefined
    const y = fits ? b.read.stored?.(position - b.pos) : undefined
    if (x !== undefined && y !== undefined) {
      const task = this.#free()
      describe(this.#tasks.blocks[task]!, count, width, logits, x, y)
      this.#queue(task, rows, done)
      return
    }
    const [left, right] = readBoth(rows)
    if (!fits || !(left instanceof Float32Array) || !(right instanceof Float32Array)) {
      done(left, right, numbersOf(left, right, rows))
      return
    }
    const task = this.#free()
    const block = this.#tasks.blocks[task]!
    block.x.set(left)
    block.y.set(right)
    describe(block, count, width, logits, undefined, undefined)
    this.#queue(task, rows, done)
  }

  /** Until every `done` has been called. */
  finish(): void {
    while (this.#pending.length > 0) this.#finishOldest()
  }

  /** The thread ends. */
  end(): void {
    this.#ring.end()
  }

  #free(): number {
    const { length } = this.#tasks.blocks
    if (this.#pending.length === length) this.#finishOldest()
    const task = this.#next
    this.#next = (task + 1) % length
    return task
  }

  #queue(task: number, rows: RowsOfBoth, done: BlockDone): void {
    this.#pending.push({ task, rows, done })
    this.#ring.queue(task)
  }

  #finishOldest(): void {
    const { task, rows, done } = this.#pending.shift()!
    this.#ring.finish(task)
    const block = this.#tasks.blocks[task]!
    if (isComputed(block)) {
      const values = rows.count * rows.a.coverage.perRow
      done(block.x.subarray(0, values), block.y.subarray(0, values), block.numbers)
    } else {
      // Throws where the file cannot be read.
      const [x, y] = readBoth(rows)
      done(x, y, numbersOf(x, y, rows))
    }
  }
}

/** Two runs of one recording may share the memory that values are read into. */
function readBoth({ a, b, position, count }: RowsOfBoth): [Values, Values] {
  const x = a.read(position - a.pos, count)
  const y = b.read(position - b.pos, count)
  if (a === b || x.buffer !== y.buffer || x.byteOffset !== y.byteOffset) return [x, y]
  return [a.read(position - a.pos, count).slice(), b.read(position - b.pos, count)]
}

function numbersOf(x: Values, y: Values, { a, count, logits }: RowsOfBoth): Float64Array {
  const width = a.coverage.perRow
  const numbers = new Float64Array(count * ROW_NUMBERS)
  for (let row = 0; row < count; row++) {
    const [start, end] = [row * width, (row + 1) * width]
    const [xRow, yRow] = [x.subarray(start, end), y.subarray(start, end)]
    const rowNumbers = numbers.subarray(row * ROW_NUMBERS, (row + 1) * ROW_NUMBERS)
    compareRow(xRow, yRow, rowNumbers)
    const same = rowNumbers[SUM.ulp] === 0 && rowNumbers[SUM.maxDifference] === 0
    if (logits !== 'none') rowNumbers.set(logitNumbers(xRow, yRow, logits === 'whole', same), LOGITS_AT)
  }
  return numbers
}
