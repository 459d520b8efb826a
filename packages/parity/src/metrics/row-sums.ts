import { Worker } from 'node:worker_threads'
import type { Values } from '../recording/recording.ts'
import { SUMS } from './row-metrics.ts'
import {
  BLOCK_ROWS,
  BLOCK_VALUES,
  collect,
  computeIfQueued,
  makeSharedBlocks,
  queue,
  type SharedBlock,
  sumRows,
  viewBlocks,
} from './shared-blocks.ts'

/** Called with the values of a block, which stay as they are until it returns, and SUMS numbers for each row. */
export type BlockDone = (x: Values, y: Values, sums: Float64Array) => void

/** The sums of rows, block by block: here, or half of them on a thread beside. */
export class RowSums {
  readonly #blocks: readonly SharedBlock[]
  readonly #ticket: Int32Array | undefined
  /** Blocks that are on their way, the oldest first. */
  readonly #pending: { block: SharedBlock; done: BlockDone }[] = []
  #next = 0
  #sums = new Float64Array(SUMS)

  constructor({ threaded }: { readonly threaded: boolean }) {
    if (!threaded) {
      this.#blocks = []
      return
    }
    const shared = makeSharedBlocks()
    this.#blocks = viewBlocks(shared)
    this.#ticket = new Int32Array(shared.ticket)
    const program = import.meta.url.endsWith('.ts') ? './row-sums-thread.ts' : './row-sums-thread.js'
    // Whatever becomes of it: what it does not compute is computed here.
    new Worker(new URL(program, import.meta.url), { workerData: shared }).on('error', () => {}).unref()
  }

  /** `same`: both sides are equal, bit for bit. `done` is called now or at a later call. */
  add(x: Values, y: Values, count: number, width: number, same: boolean, done: BlockDone): void {
    const shareable = x instanceof Float32Array && y instanceof Float32Array
    if (this.#ticket === undefined || !shareable || count > BLOCK_ROWS || count * width > BLOCK_VALUES) {
      if (this.#sums.length < count * SUMS) this.#sums = new Float64Array(count * SUMS)
      sumRows(x, y, count, width, same, this.#sums)
      done(x, y, this.#sums)
      return
    }
    if (this.#pending.length === this.#blocks.length) this.#finishOldest()
    const block = this.#blocks[this.#next]!
    this.#next = (this.#next + 1) % this.#blocks.length
    block.x.set(x)
    block.y.set(y)
    queue(block, count, width, same)
    this.#wake()
    this.#pending.push({ block, done })
  }

  /** Until every `done` has been called. The thread ends. */
  finish(): void {
    while (this.#pending.length > 0) this.#finishOldest()
    if (this.#ticket === undefined) return
    Atomics.store(this.#ticket, 0, -1)
    Atomics.notify(this.#ticket, 0)
  }

  #finishOldest(): void {
    const { block, done } = this.#pending.shift()!
    computeIfQueued(block)
    collect(block)
    done(block.x, block.y, block.sums)
  }

  #wake(): void {
    Atomics.add(this.#ticket!, 0, 1)
    Atomics.notify(this.#ticket!, 0)
  }
}
