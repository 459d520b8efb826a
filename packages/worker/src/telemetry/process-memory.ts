import { readFile } from 'node:fs/promises'

const FRESH_MS = 100

/**
 * What a process holds of the machine's memory: the proportional set size, in which pages that are shared are shared out.
 * Reading it makes the kernel walk page tables, so it is read at most ten times a second, when somebody asks.
 */
export class ProcessMemory {
  readonly #pid: () => number | null
  #readAt = Number.NEGATIVE_INFINITY
  #reading = Promise.resolve()
  /** The last reading. */
  bytes = 0

  constructor(pid: () => number | null) {
    this.#pid = pid
  }

  /** Resolves when `bytes` is no older than a tenth of a second. */
  fresh(): Promise<void> {
    if (performance.now() - this.#readAt >= FRESH_MS) {
      this.#readAt = performance.now()
      this.#reading = this.#read()
    }
    return this.#reading
  }

  async #read(): Promise<void> {
    const pid = this.#pid()
    this.bytes = pid === null ? 0 : await proportionalSetSize(pid)
  }
}

async function proportionalSetSize(pid: number): Promise<number> {
  try {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
    return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024
  } catch {
    // No /proc: what a process can say of itself is its resident set.
    return pid === process.pid ? process.memoryUsage.rss() : 0
  }
}
