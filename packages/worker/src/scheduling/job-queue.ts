import { PlumblineError } from '@plumbline/protocol/errors'
import type { EngineSupervisor } from '../engine-host/engine-supervisor.ts'
import type { Job, JobOwner } from './job.ts'

/** Weight of the newest job in the running mean of how long jobs take. */
const NEWEST = 0.3

/** First come, first served; one job at a time at the engine. Jobs that wait go on waiting while an engine is replaced. */
export class JobQueue implements JobOwner {
  readonly #engine: EngineSupervisor
  readonly #maxWaiting: number
  readonly #waiting: Job[] = []
  /** Everything whose client still has something coming, by job id. */
  readonly #open = new Map<string, Job>()
  #active: Job | undefined
  #meanMs = 1_000
  #onEmpty: (() => void) | undefined

  constructor(engine: EngineSupervisor, maxWaiting: number) {
    this.#engine = engine
    this.#maxWaiting = maxWaiting
    engine.on('idle', () => this.#next())
  }

  get active(): number {
    return this.#active ? 1 : 0
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** A job could not start at once and may not wait. */
  get full(): boolean {
    return !(this.#engine.idle && this.#waiting.length === 0) && this.#waiting.length >= this.#maxWaiting
  }

  /** When a place should be free again, going by how long jobs took lately. */
  get placeFreeInMs(): number {
    return this.#meanMs
  }

  has(id: string): boolean {
    return this.#open.has(id)
  }

  enqueue(job: Job): void {
    this.#open.set(job.id, job)
    this.#waiting.push(job)
    this.#next()
  }

  /** Ends the job's stream with CANCELLED; false when there is no such job. */
  cancel(id: string): boolean {
    const job = this.#open.get(id)
    job?.fail(new PlumblineError('CANCELLED', 'the job was cancelled'))
    return job !== undefined
  }

  failAll(error: PlumblineError): void {
    for (const job of [...this.#open.values()]) job.fail(error)
  }

  destroyAll(): void {
    for (const job of [...this.#open.values()]) job.destroy()
  }

  /** Resolves once no client has anything coming. */
  async empty(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve))
  }

  withdraw(job: Job): void {
    const place = this.#waiting.indexOf(job)
    if (place >= 0) this.#waiting.splice(place, 1)
    else if (job === this.#active) this.#engine.cancel(job.complete)
  }

  closed(job: Job): void {
    this.#open.delete(job.id)
    if (this.#open.size === 0) this.#onEmpty?.()
  }

  #next(): void {
    if (!this.#engine.idle) return
    const job = this.#waiting.shift()
    if (!job) return
    const startedAt = performance.now()
    this.#active = job
    this.#engine.generate(job.engineJob, {
      onTokens: (tokens) => job.onTokens(tokens),
      onDone: (result) => {
        this.#active = undefined
        this.#meanMs += NEWEST * (performance.now() - startedAt - this.#meanMs)
        job.onDone(result)
      },
    })
    job.start()
  }
}
