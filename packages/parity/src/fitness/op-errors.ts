import { TaskRing, threadProgram } from '../threads/task-ring.ts'
import { makeOpErrorMemory, OpErrorTasks, type OpRows, ROWS_A_TASK, WIDEST } from './op-error-tasks.ts'

/** `sums`: as ERROR names them; undefined where they were not computed. */
export type OpDone = (position: number, sums: Float64Array | undefined) => void

interface Pending {
  readonly task: number
  readonly positions: readonly number[]
  readonly done: OpDone
}

/** The errors of ops whose rows lie in files, position by position: here, or about half of them on a thread beside. */
export class OpErrors {
  readonly #tasks: OpErrorTasks
  readonly #ring: TaskRing
  readonly #pending: Pending[] = []
  #next = 0

  constructor({ threaded }: { readonly threaded: boolean }) {
    const memory = makeOpErrorMemory()
    this.#tasks = new OpErrorTasks(memory, 0)
    this.#ring = new TaskRing(this.#tasks.count, (task) => this.#tasks.compute(task))
    if (threaded) this.#ring.share(threadProgram('./op-errors-thread', import.meta.url), memory)
  }

  /** At most ROWS_A_TASK positions of one op. `done` is called for each, now or at a later call. */
  add(width: number, product: boolean, positions: readonly number[], rows: readonly OpRows[], done: OpDone): void {
    if (width > WIDEST || rows.length > ROWS_A_TASK) {
      for (const position of positions) done(position, undefined)
      return
    }
    if (this.#pending.length === this.#tasks.count) this.#finishOldest()
    const task = this.#next
    this.#next = (task + 1) % this.#tasks.count
    this.#tasks.set(task, width, product, rows)
    this.#pending.push({ task, positions, done })
    this.#ring.queue(task)
  }

  /** Until every `done` has been called; the thread ends. */
  end(): void {
    while (this.#pending.length > 0) this.#finishOldest()
    this.#ring.end()
  }

  #finishOldest(): void {
    const { task, positions, done } = this.#pending.shift()!
    this.#ring.finish(task)
    const sums = this.#tasks.result(task)
    for (const [index, position] of positions.entries()) done(position, sums?.[index])
  }
}
