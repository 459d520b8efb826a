import { FREE_FROM, type Kernels, kernelMemory, kernelModule, makeKernels } from '../kernels/kernels.ts'
import type { StoredRows } from '../recording/recording.ts'
import { readWhole } from '../threads/read-whole.ts'

/** Positions of one op that are one task. */
export const ROWS_A_TASK = 32
/** Values of a row that is computed here. */
export const WIDEST = 1 << 16
/** Values that are read at once where rows lie one after another, unless a row has more: few enough for the processor's cache. */
const READ_VALUES = 1 << 14
const TASKS = 16
const THREADS = 2

/** What an op gives, and what it was given. */
export type OpRows = readonly [out: StoredRows, left: StoredRows, right: StoredRows]
const ROWS_OF_OP = 3
/** Of each position: the sums that the kernels of assembly/op-errors.ts write. */
export const ERROR = { error: 0, size: 1, activated: 2, ups: 3 } as const
const ERRORS = 4

const HEAD = { count: 0, width: 1, product: 2, done: 3 } as const
const HEAD_NUMBERS = 4
/** Of each position: descriptor and offset of each of its rows, then its sums. */
const PLACES = 2 * ROWS_OF_OP
const TASK_NUMBERS = HEAD_NUMBERS + ROWS_A_TASK * (PLACES + ERRORS)
const ROW_BYTES = 4 * WIDEST
const ROWS_FROM = FREE_FROM + 8 * TASK_NUMBERS * TASKS

export interface OpErrorMemory {
  readonly memory: WebAssembly.Memory
  readonly module: WebAssembly.Module
}

export function makeOpErrorMemory(): OpErrorMemory {
  const bytes = ROWS_FROM - FREE_FROM + THREADS * ROWS_OF_OP * ROW_BYTES
  return { memory: kernelMemory(bytes), module: kernelModule() }
}

/** How far rows in files are from what the rows that they were made of give; each thread has its own of these. */
export class OpErrorTasks {
  readonly count = TASKS
  readonly #kernels: Kernels
  readonly #buffer: ArrayBufferLike
  readonly #rowsFrom: number

  constructor({ memory, module }: OpErrorMemory, thread: 0 | 1) {
    this.#kernels = makeKernels(memory, module)
    this.#buffer = memory.buffer
    this.#rowsFrom = ROWS_FROM + thread * ROWS_OF_OP * ROW_BYTES
  }

  /** `product`: SiLU(left) x right, else left + right. */
  set(task: number, width: number, product: boolean, rows: readonly OpRows[]): void {
    const numbers = this.#numbers(task)
    numbers.set([rows.length, width, product ? 1 : 0, 0])
    for (const [row, places] of rows.entries()) {
      for (const [index, { descriptor, offset }] of places.entries())
        numbers.set([descriptor, offset], HEAD_NUMBERS + row * PLACES + 2 * index)
    }
  }

  compute(task: number): void {
    const numbers = this.#numbers(task)
    const [count, width, product] = numbers as unknown as [number, number, number]
    const padded = Math.ceil(width / 4) * 4
    const [out, left, right] = [0, 1, 2].map((index) => this.#rowsFrom + index * ROW_BYTES) as [number, number, number]
    for (const from of [out, left, right]) new Float32Array(this.#buffer, from, padded).fill(0, width)
    for (let row = 0; row < count; ) {
      const together = rowsTogether(numbers, row, count, width)
      for (const [index, from] of [out, left, right].entries()) {
        const place = HEAD_NUMBERS + row * PLACES + 2 * index
        const into = new Uint8Array(this.#buffer, from, 4 * width * together)
        if (!readWhole(numbers[place]!, into, numbers[place + 1]!)) return
      }
      for (let index = 0; index < together; index++, row++) {
        const at = 4 * width * index
        const sums = numbers.byteOffset + 8 * (HEAD_NUMBERS + ROWS_A_TASK * PLACES + row * ERRORS)
        if (product === 1) this.#kernels.productError(out + at, left + at, right + at, padded, sums)
        else this.#kernels.sumError(out + at, left + at, right + at, padded, sums)
      }
    }
    numbers[HEAD.done] = 1
  }

  /** Sums of each position, as ERROR names them; undefined where a file could not be read. */
  result(task: number): readonly Float64Array[] | undefined {
    const numbers = this.#numbers(task)
    if (numbers[HEAD.done] !== 1) return undefined
    return Array.from({ length: numbers[HEAD.count]! }, (_, row) => {
      const from = HEAD_NUMBERS + ROWS_A_TASK * PLACES + row * ERRORS
      return numbers.subarray(from, from + ERRORS)
    })
  }

  #numbers(task: number): Float64Array {
    return new Float64Array(this.#buffer, FREE_FROM + 8 * TASK_NUMBERS * task, TASK_NUMBERS)
  }
}

/** How many rows from `first` on lie one after another in all files, and can be read at once: where none needs to be padded. */
function rowsTogether(numbers: Float64Array, first: number, count: number, width: number): number {
  const most = width % 4 === 0 ? Math.min(count - first, Math.floor(READ_VALUES / width)) : 1
  let together = 1
  while (together < most && follows(numbers, first + together, width)) together++
  return together
}

function follows(numbers: Float64Array, row: number, width: number): boolean {
  for (let place = HEAD_NUMBERS + row * PLACES; place < HEAD_NUMBERS + (row + 1) * PLACES; place += 2) {
    if (numbers[place] !== numbers[place - PLACES]) return false
    if (numbers[place + 1] !== numbers[place + 1 - PLACES]! + 4 * width) return false
  }
  return true
}
