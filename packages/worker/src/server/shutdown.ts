import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/protocol/errors'
import type { FastifyInstance } from 'fastify'
import type { Worker } from './worker.ts'

/** What clients get to take their last bytes. */
const LAST_BYTES_MS = 2_000

/**
 * The end on SIGTERM or SIGINT: new requests are refused, jobs go on for up to --drain-timeout-sec, then those that are left end
 * with SHUTTING_DOWN. A second signal does not wait for them.
 */
export class Shutdown {
  readonly #worker: Worker
  readonly #begun = new AbortController()
  readonly #hurry = new AbortController()
  /** Resolves once everything is closed. */
  readonly finished: Promise<void>
  #finish!: () => void
  /** To be closed at the end, once there is one: signals may come before. */
  server: FastifyInstance | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    this.finished = new Promise((resolve) => (this.#finish = resolve))
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.#onSignal(signal))
  }

  /** Aborts when the end begins. */
  get signal(): AbortSignal {
    return this.#begun.signal
  }

  #onSignal(signal: string): void {
    const { log } = this.#worker
    if (this.#begun.signal.aborted) {
      log.warn({ signal }, 'hurrying')
      this.#hurry.abort()
      return
    }
    log.info({ signal }, 'shutting down')
    this.#begun.abort()
    void this.#run()
  }

  async #run(): Promise<void> {
    const { queue, engine, options } = this.#worker
    this.#worker.shuttingDown = true
    await this.#within(options.drainTimeoutSec * 1_000, queue.empty(), this.#hurry.signal)
    queue.failAll(new PlumblineError('SHUTTING_DOWN', 'the worker is shutting down'))
    await this.#within(LAST_BYTES_MS, queue.empty())
    queue.destroyAll()
    await engine.stop()
    await this.server?.close()
    this.#finish()
  }

  async #within(milliseconds: number, done: Promise<void>, signal?: AbortSignal): Promise<void> {
    const limit = sleep(milliseconds, undefined, { ref: false, ...(signal && { signal }) }).catch(() => undefined)
    await Promise.race([done, limit])
  }
}
