import { FREE_FROM, type Kernels, kernelMemory, makeKernels } from '../kernels/kernels.ts'
import { SUM, SUMS, samePair } from './row-metrics.ts'

/** Values of one side that are read at once, unless a row has more: few enough for the processor's cache. */
export const READ_VALUES = 64 * 1024
/** Values of one side that a block holds at most: a row of the logits of a large vocabulary. */
export const BLOCK_VALUES = 256 * 1024
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

/** In bytes. */
const SIZES = { numbers: 8 * EACH, values: 4 * BLOCK_VALUES, sums: 8 * SUMS * BLOCK_ROWS }
const BLOCK_BYTES = SIZES.numbers + 2 * SIZES.values + SIZES.sums

export function makeBlockMemory(): WebAssembly.Memory {
  return kernelMemory(BLOCKS * BLOCK_BYTES)
}

export function viewBlocks({ buffer }: WebAssembly.Memory): SharedBlock[] {
  return Array.from({ length: BLOCKS }, (_, index) => {
    const numbers = FREE_FROM + index * BLOCK_BYTES
    const x = numbers + SIZES.numbers
    const y = x + SIZES.values
    return {
      numbers: new Int32Array(buffer, numbers, EACH),
      x: new Float32Array(buffer, x, BLOCK_VALUES),
      y: new Float32Array(buffer, y, BLOCK_VALUES),
      sums: new Float64Array(buffer, y + SIZES.values, SUMS * BLOCK_ROWS),
    }
  })
}

export function queue({ numbers }: SharedBlock, count: number, width: number, same: boolean): void {
  numbers[NUMBERS.count] = count
  numbers[NUMBERS.width] = width
  numbers[NUMBERS.same] = same ? 1 : 0
  Atomics.store(numbers, NUMBERS.state, STATE.queued)
}

/** Computes blocks that are queued; each thread has its own. */
export class BlockSums {
  readonly #kernels: Kernels

  constructor(memory: WebAssembly.Memory) {
    this.#kernels = makeKernels(memory)
  }

  /** Computes a block if nobody else does. */
  computeIfQueued(block: SharedBlock): boolean {
    const { numbers } = block
    if (Atomics.compareExchange(numbers, NUMBERS.state, STATE.queued, STATE.taken) !== STATE.queued) return false
    this.#compute(block, numbers[NUMBERS.count]!, numbers[NUMBERS.width]!, numbers[NUMBERS.same] === 1)
    Atomics.store(numbers, NUMBERS.state, STATE.done)
    Atomics.notify(numbers, NUMBERS.state)
    return true
  }

  #compute({ x, y, sums }: SharedBlock, count: number, width: number, same: boolean): void {
    for (let row = 0; row < count; row++) {
      const [from, to] = [row * width * x.BYTES_PER_ELEMENT, row * SUMS * sums.BYTES_PER_ELEMENT]
      if (same) {
        this.#kernels.sizeRow(y.byteOffset + from, width, sums.byteOffset + to)
        const rowSums = sums.subarray(row * SUMS, (row + 1) * SUMS)
        rowSums[SUM.referenceTiny] = rowSums[1]!
        rowSums[SUM.referenceSquares] = rowSums[0]!
        samePair(rowSums)
      } else this.#kernels.sumRow(x.byteOffset + from, y.byteOffset + from, width, sums.byteOffset + to)
    }
  }
}

/** Waits until a block that somebody took is computed, and makes it free. */
export function collect({ numbers }: SharedBlock): void {
  while (Atomics.load(numbers, NUMBERS.state) === STATE.taken) Atomics.wait(numbers, NUMBERS.state, STATE.taken)
  Atomics.store(numbers, NUMBERS.state, STATE.free)
}
