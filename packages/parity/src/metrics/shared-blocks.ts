import type { Values } from '../recording/recording.ts'
import { PairOfBlocks, SUMS, samePair, sizeRow } from './row-metrics.ts'

/** Values of one side that a block holds at most. */
export const BLOCK_VALUES = 64 * 1024
/** Rows that a shared block holds at most. */
export const BLOCK_ROWS = 2048
/** Enough for both threads to have one at hand while one is being read. */
export const BLOCKS = 4

/** What a block is at: only its owner takes it from `free` to `queued`; whoever takes it from there computes it. */
export const STATE = { free: 0, queued: 1, taken: 2, done: 3 } as const
const NUMBERS = { state: 0, count: 1, width: 2, same: 3 } as const
const EACH = 4

/** A block of rows of both sides in memory that threads share, and the sums of each row. */
export interface SharedBlock {
  readonly numbers: Int32Array
  readonly x: Float32Array
  readonly y: Float32Array
  readonly sums: Float64Array
}

export interface SharedBlocks {
  /** Grows with each block that is queued; -1 at the end. */
  readonly ticket: SharedArrayBuffer
  readonly blocks: readonly {
    numbers: SharedArrayBuffer
    x: SharedArrayBuffer
    y: SharedArrayBuffer
    sums: SharedArrayBuffer
  }[]
}

export function makeSharedBlocks(): SharedBlocks {
  const block = () => ({
    numbers: new SharedArrayBuffer(4 * EACH),
    x: new SharedArrayBuffer(4 * BLOCK_VALUES),
    y: new SharedArrayBuffer(4 * BLOCK_VALUES),
    sums: new SharedArrayBuffer(8 * SUMS * BLOCK_ROWS),
  })
  return { ticket: new SharedArrayBuffer(4), blocks: Array.from({ length: BLOCKS }, block) }
}

export function viewBlocks({ blocks }: SharedBlocks): SharedBlock[] {
  return blocks.map(({ numbers, x, y, sums }) => ({
    numbers: new Int32Array(numbers),
    x: new Float32Array(x),
    y: new Float32Array(y),
    sums: new Float64Array(sums),
  }))
}

export function queue({ numbers }: SharedBlock, count: number, width: number, same: boolean): void {
  numbers[NUMBERS.count] = count
  numbers[NUMBERS.width] = width
  numbers[NUMBERS.same] = same ? 1 : 0
  Atomics.store(numbers, NUMBERS.state, STATE.queued)
}

/** Computes a block if nobody else does. */
export function computeIfQueued({ numbers, x, y, sums }: SharedBlock): boolean {
  if (Atomics.compareExchange(numbers, NUMBERS.state, STATE.queued, STATE.taken) !== STATE.queued) return false
  sumRows(x, y, numbers[NUMBERS.count]!, numbers[NUMBERS.width]!, numbers[NUMBERS.same] === 1, sums)
  Atomics.store(numbers, NUMBERS.state, STATE.done)
  Atomics.notify(numbers, NUMBERS.state)
  return true
}

/** Waits until a block that somebody took is computed, and makes it free. */
export function collect({ numbers }: SharedBlock): void {
  while (Atomics.load(numbers, NUMBERS.state) === STATE.taken) Atomics.wait(numbers, NUMBERS.state, STATE.taken)
  Atomics.store(numbers, NUMBERS.state, STATE.free)
}

const row = new Float64Array(SUMS)

/** The sums of each row of a block, SUMS numbers a row. `same`: both sides are, bit for bit. */
export function sumRows(x: Values, y: Values, count: number, width: number, same: boolean, sums: Float64Array): void {
  const pair = new PairOfBlocks(x, y)
  for (let index = 0; index < count; index++) {
    if (same) {
      sizeRow(y, index * width, width, row)
      samePair(row)
    } else pair.compare(index * width, index * width, width, row)
    sums.set(row, index * SUMS)
  }
}
