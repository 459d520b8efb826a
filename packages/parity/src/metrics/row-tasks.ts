import { FREE_FROM, type Kernels, kernelMemory, kernelModule, makeKernels } from '../kernels/kernels.ts'
import type { StoredRows } from '../recording/recording.ts'
import { readWhole } from '../threads/read-whole.ts'
import { logitNumbers } from './logit-metrics.ts'
import { SUM, SUMS } from './row-metrics.ts'

/** Values of one side that are read at once, unless a row has more: few enough for the processor's cache. */
export const READ_VALUES = 64 * 1024
/** Values of one side that a block holds at most: a row of the logits of a large vocabulary. */
export const BLOCK_VALUES = 256 * 1024
/** Rows that a block holds at most. */
export const BLOCK_ROWS = 2048
/** Enough for both threads to have one at hand while others are being looked at. */
const BLOCKS = 8

/** Of each row: the sums, then `logitNumbers` where it is one of logits. */
export const LOGITS_AT = SUMS
export const ROW_NUMBERS = SUMS + 5

/** `xOffset`, `yOffset`: where in the files the rows are; in memory already where the descriptor is IN_MEMORY. `done`: 1 when read. */
const HEAD = { count: 0, width: 1, logits: 2, done: 3, xFile: 4, xOffset: 5, yFile: 6, yOffset: 7 } as const
const HEAD_NUMBERS = 8
const IN_MEMORY = -1

/** In bytes. */
const SIZES = { head: 8 * HEAD_NUMBERS, values: 4 * BLOCK_VALUES, numbers: 8 * ROW_NUMBERS * BLOCK_ROWS }
const BLOCK_BYTES = SIZES.head + 2 * SIZES.values + SIZES.numbers

/** A block of rows of both sides in memory that threads share, and ROW_NUMBERS of each. */
export interface Block {
  readonly head: Float64Array
  readonly x: Float32Array
  readonly y: Float32Array
  readonly numbers: Float64Array
}

export interface RowMemory {
  readonly memory: WebAssembly.Memory
  readonly module: WebAssembly.Module
}

export const makeRowMemory = (): RowMemory => ({ memory: kernelMemory(BLOCKS * BLOCK_BYTES), module: kernelModule() })

/** Computes blocks of rows; each thread has its own of these. */
export class RowTasks {
  readonly blocks: readonly Block[]
  readonly #kernels: Kernels

  constructor({ memory, module }: RowMemory) {
    this.#kernels = makeKernels(memory, module)
    const { buffer } = memory
    this.blocks = Array.from({ length: BLOCKS }, (_, index) => {
      const head = FREE_FROM + index * BLOCK_BYTES
      const x = head + SIZES.head
      const y = x + SIZES.values
      return {
        head: new Float64Array(buffer, head, HEAD_NUMBERS),
        x: new Float32Array(buffer, x, BLOCK_VALUES),
        y: new Float32Array(buffer, y, BLOCK_VALUES),
        numbers: new Float64Array(buffer, y + SIZES.values, ROW_NUMBERS * BLOCK_ROWS),
      }
    })
  }

  compute(task: number): void {
    const { head, x, y, numbers } = this.blocks[task]!
    const [count, width, logits] = head as unknown as [number, number, number]
    const values = count * width
    if (!readRows(x, head[HEAD.xFile]!, head[HEAD.xOffset]!, values)) return
    if (!readRows(y, head[HEAD.yFile]!, head[HEAD.yOffset]!, values)) return
    for (let row = 0; row < count; row++) {
      const from = 4 * row * width
      const to = row * ROW_NUMBERS
      this.#kernels.sumRow(x.byteOffset + from, y.byteOffset + from, width, numbers.byteOffset + 8 * to)
      if (logits === 0) continue
      const [start, end] = [row * width, (row + 1) * width]
      const same = numbers[to + SUM.ulp] === 0 && numbers[to + SUM.maxDifference] === 0
      numbers.set(logitNumbers(x.subarray(start, end), y.subarray(start, end), logits === 1, same), to + LOGITS_AT)
    }
    head[HEAD.done] = 1
  }
}

/** Rows of one side: in a file, or undefined where they have been put into the block. */
export type RowsIn = StoredRows | undefined

/** `logits`: what the rows are of, and whether whole ones. */
export function describe(
  { head }: Block,
  count: number,
  width: number,
  logits: 'none' | 'whole' | 'part',
  x: RowsIn,
  y: RowsIn,
): void {
  const numbers = [count, width, ['none', 'whole', 'part'].indexOf(logits), 0]
  head.set([...numbers, x?.descriptor ?? IN_MEMORY, x?.offset ?? 0, y?.descriptor ?? IN_MEMORY, y?.offset ?? 0])
}

/** Not where a file could not be read. */
export const isComputed = ({ head }: Block): boolean => head[HEAD.done] === 1

function readRows(into: Float32Array, descriptor: number, offset: number, values: number): boolean {
  return (
    descriptor === IN_MEMORY || readWhole(descriptor, new Uint8Array(into.buffer, into.byteOffset, 4 * values), offset)
  )
}
