import type { Values } from '../recording/recording.ts'
import { TaskRing, threadProgram } from '../threads/task-ring.ts'
import {
  giveBack,
  MOST,
  makeNumberMemory,
  type NumberArray,
  type NumberMemory,
  NumberTasks,
  roomOf,
} from './number-tasks.ts'

/** Values of all arrays from which on a second thread pays. */
const MANY_VALUES = 1 << 19

interface Started {
  readonly memory: NumberMemory
  readonly tasks: NumberTasks
  readonly ring: TaskRing
  readonly roomEach: number
  /** Of each task, the index of the array that it was queued for and not yet finished. */
  readonly pending: (number | undefined)[]
}

/** The arrays of numbers of a file, which are parsed before they are asked for, here and on a thread beside. */
export class NumbersAhead {
  readonly #descriptor: number
  /** In the order of the file. */
  readonly #arrays: NumberArray[] = []
  #values = 0
  #mostRoom = 0
  #started: Started | undefined
  /** The array that was asked for last. Those from it on and before `#next` have been queued. */
  #current = 0
  #next = 0

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /** In the order of the file. */
  add(array: NumberArray): void {
    this.#arrays.push(array)
    this.#values += array.count
    if (array.count <= MOST.values) this.#mostRoom = Math.max(this.#mostRoom, roomOf(array))
    if (this.#values < MANY_VALUES || this.#mostRoom === 0) return
    // The thread begins while the rest of the file is looked through.
    this.#started ??= this.#start()
    if (this.#current === 0) this.#queueAhead(this.#started)
  }

  /** The numbers of the array at `offset`, until the next call; undefined where it is too large or not usual throughout. */
  values(offset: number): Values | undefined {
    const started = this.#started
    const index = this.#find(offset)
    if (started === undefined || index === undefined) return undefined
    const onward = index >= this.#current && index <= this.#next
    this.#current = index
    if (onward) this.#queueAhead(started)
    else {
      this.#next = index
      this.#queueNext(started)
    }
    const task = index % started.pending.length
    if (!this.#fits(started, this.#arrays[index]!)) return undefined
    if (started.pending[task] === index) {
      started.ring.finish(task)
      started.pending[task] = undefined
    }
    return started.tasks.result(task)
  }

  /** What `values` returned last is overwritten from then on. */
  close(): void {
    if (this.#started === undefined) return
    this.#started.ring.end()
    giveBack(this.#started.memory)
    this.#started = undefined
  }

  #start(): Started {
    const roomEach = this.#mostRoom
    const memory = makeNumberMemory(this.#descriptor, roomEach)
    const tasks = new NumberTasks(memory, 0)
    const ring = new TaskRing(memory.tasks, (task) => tasks.compute(task))
    ring.share(threadProgram('./number-tasks-thread', import.meta.url), memory)
    return { memory, tasks, ring, roomEach, pending: Array(memory.tasks).fill(undefined) }
  }

  #queueAhead(started: Started): void {
    const until = Math.min(this.#arrays.length, this.#current + started.pending.length)
    while (this.#next < until) this.#queueNext(started)
  }

  #queueNext(started: Started): void {
    const index = this.#next++
    const array = this.#arrays[index]!
    const task = index % started.pending.length
    if (started.pending[task] !== undefined) started.ring.drop(task)
    started.pending[task] = undefined
    if (!this.#fits(started, array)) return
    started.tasks.set(task, array)
    started.pending[task] = index
    started.ring.queue(task)
  }

  #fits({ roomEach }: Started, array: NumberArray): boolean {
    return array.bytes < MOST.textBytes && roomOf(array) <= roomEach
  }

  #find(offset: number): number | undefined {
    let low = 0
    let high = this.#arrays.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const at = this.#arrays[middle]!.offset
      if (at === offset) return middle
      if (at < offset) low = middle + 1
      else high = middle - 1
    }
    return undefined
  }
}
