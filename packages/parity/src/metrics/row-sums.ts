import { Worker } from 'node:worker_threads'
import type { Values } from '../recording/recording.ts'
import { PairOfBlocks, SUMS } from './row-metrics.ts'
import {
  BLOCK_ROWS,
  BLOCK_VALUES,
  BlockSums,
  collect,
  makeBlockMemory,
  queue,
  type SharedBlock,
  viewBlocks,
} from './shared-blocks.ts'

/** Called with the values of a block, which stay as they are until it returns, and SUMS numbers for each row. */
export type BlockDone = (x: Values, y: Values, sums: Float64Array) => void

/** The sums of rows, block by block: here, or half of them on a thread beside. */
export class RowSums {
  readonly #blocks: readonly SharedBlock[]
  readonly #blockSums: BlockSums
  /** Grows with each block that is queued; -1 at the end. */
  readonly #ticket = new Int32Array(new SharedArrayBuffer(4))
  /** Blocks that are on their way, the oldest first. */
  readonly #pending: { block: SharedBlock; done: BlockDone }[] = []
  #next = 0

  constructor({ threaded }: { readonly threaded: boolean }) {
    const memory = makeBlockMemory()
    this.#blocks = viewBlocks(memory).slice(0, threaded ? undefined : 1)
    this.#blockSums = new BlockSums(memory)
    if (!threaded) return
    const program = import.meta.url.endsWith('.ts') ? './row-sums-thread.ts' : './row-sums-thread.js'
    const workerData = { memory, ticket: this.#ticket.buffer }
    // Whatever becomes of it: what it does not compute is computed here.
    new Worker(new URL(program, import.meta.url), { workerData }).on('error', () => {}).unref()
  }

  /** `same`: both sides are equal, bit for bit. `done` is called now or at a later call. */
  add(x: Values, y: Values, count: number, width: number, same: boolean, done: BlockDone): void {
    const floats = x instanceof Float32Array && y instanceof Float32Array
    if (!floats || count > BLOCK_ROWS || count * width > BLOCK_VALUES) {
      done(x, y, sumRows(x, y, count, width))
      return
    }
    if (this.#pending.length === this.#blocks.length) this.#finishOldest()
    const block = this.#blocks[this.#next]!
    this.#next = (this.#next + 1) % this.#blocks.length
    block.x.set(x)
    block.y.set(y)
    queue(block, count, width, same)
    Atomics.add(this.#ticket, 0, 1)
    Atomics.notify(this.#ticket, 0)
    this.#pending.push({ block, done })
  }

  /** Until every `done` has been called. The thread ends. */
  finish(): void {
    while (this.#pending.length > 0) this.#finishOldest()
    Atomics.store(this.#ticket, 0, -1)
    Atomics.notify(this.#ticket, 0)
  }

  #finishOldest(): void {
    const { block, done } = this.#pending.shift()!
    this.#blockSums.computeIfQueued(block)
    collect(block)
    done(block.x, block.y, block.sums)
  }
}

function sumRows(x: Values, y: Values, count: number, width: number): Float64Array {
  const pair = new PairOfBlocks(x, y)
  const sums = new Float64Array(count * SUMS)
  for (let row = 0; row < count; row++) {
    pair.compare(row * width, row * width, width, sums.subarray(row * SUMS, (row + 1) * SUMS))
  }
  return sums
}
