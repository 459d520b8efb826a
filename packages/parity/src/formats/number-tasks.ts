import { FREE_FROM, type Kernels, kernelMemory, kernelModule, makeKernels } from '../kernels/kernels.ts'
import type { Values } from '../recording/recording.ts'
import { readWhole } from '../threads/read-whole.ts'
import { POWERS_BYTES, powersOfFive } from './powers-of-five.ts'

/** An array of numbers in a file. */
export interface NumberArray {
  /** In bytes, after the opening bracket. */
  readonly offset: number
  /** Up to the closing bracket. */
  readonly bytes: number
  readonly count: number
  readonly toFloat32: boolean
}

/** Of an array that is parsed as a task: others are read in parts. */
export const MOST = { textBytes: 4 << 20, values: 1 << 18 } as const

/** What is free for values: enough that the thread beside has work while this one looks through the file. */
const VALUES_BYTES = 32 << 20
const MOST_TASKS = 1024
/** After the text: zeros, in which no number ends, for what the kernel loads along. */
const SPARE_BYTES = 1024
const TEXT_BYTES = MOST.textBytes + SPARE_BYTES
/** Each thread has a text of its own. */
const THREADS = 2
const HEAD = { offset: 0, bytes: 1, count: 2, toFloat32: 3, whole: 4 } as const
const HEAD_BYTES = 8 * 8
const TEXTS_FROM = FREE_FROM + POWERS_BYTES
const TASKS_FROM = TEXTS_FROM + THREADS * TEXT_BYTES

/** What threads share: arrays of one file, each with so much room for values. */
export interface NumberMemory {
  readonly memory: WebAssembly.Memory
  readonly module: WebAssembly.Module
  readonly descriptor: number
  /** In bytes, a multiple of 8. */
  readonly roomEach: number
  readonly tasks: number
}

/** Of a file that was closed: for the next one, since to be given pages by the system takes time. */
let spare: WebAssembly.Memory | undefined

export function makeNumberMemory(descriptor: number, roomEach: number): NumberMemory {
  const tasks = Math.min(MOST_TASKS, Math.floor(VALUES_BYTES / taskBytes(roomEach)))
  const memory = spare ?? kernelMemory(TASKS_FROM - FREE_FROM + VALUES_BYTES)
  spare = undefined
  new BigUint64Array(memory.buffer, FREE_FROM).set(powersOfFive())
  return { memory, module: kernelModule(), descriptor, roomEach, tasks }
}

/** Nothing may use it any more. */
export function giveBack({ memory }: NumberMemory): void {
  spare = memory
}

const taskBytes = (room: number) => HEAD_BYTES + room

/** What the values of an array take, in bytes, a multiple of 8. */
export const roomOf = ({ count, toFloat32 }: Pick<NumberArray, 'count' | 'toFloat32'>): number =>
  toFloat32 ? 8 * Math.ceil(count / 2) : 8 * count

/** Arrays of numbers, read and parsed into memory that threads share; each thread has its own of these. */
export class NumberTasks {
  readonly #shared: NumberMemory
  readonly #kernels: Kernels
  readonly #textFrom: number

  constructor(shared: NumberMemory, thread: 0 | 1) {
    this.#shared = shared
    this.#kernels = makeKernels(shared.memory, shared.module)
    this.#textFrom = TEXTS_FROM + thread * TEXT_BYTES
  }

  set(task: number, { offset, bytes, count, toFloat32 }: NumberArray): void {
    this.#head(task).set([offset, bytes, count, toFloat32 ? 1 : 0, 0])
  }

  compute(task: number): void {
    const head = this.#head(task)
    const [offset, bytes, count, toFloat32] = head as unknown as [number, number, number, number]
    const from = this.#textFrom
    const text = new Uint8Array(this.#shared.memory.buffer, from, bytes + SPARE_BYTES)
    text.fill(0, bytes)
    if (!readWhole(this.#shared.descriptor, text.subarray(0, bytes + 1), offset)) return
    const out = head.byteOffset + HEAD_BYTES
    const index = this.#kernels.scanNumbers(from, from + bytes, out, 0, count, toFloat32, FREE_FROM)
    if (index === count && this.#kernels.stoppedAt() === from + bytes) head[HEAD.whole] = 1
  }

  /** Undefined where there is something unusual among them, or not as many as there should be. */
  result(task: number): Values | undefined {
    const head = this.#head(task)
    if (head[HEAD.whole] !== 1) return undefined
    const from = head.byteOffset + HEAD_BYTES
    const count = head[HEAD.count]!
    const { buffer } = this.#shared.memory
    return head[HEAD.toFloat32] === 1 ? new Float32Array(buffer, from, count) : new Float64Array(buffer, from, count)
  }

  #head(task: number): Float64Array {
    const { memory, roomEach } = this.#shared
    return new Float64Array(memory.buffer, TASKS_FROM + task * taskBytes(roomEach), HEAD_BYTES / 8)
  }
}
