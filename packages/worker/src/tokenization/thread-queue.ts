import { Worker as Thread } from 'node:worker_threads'
import { programPath } from '../package-files.ts'

export interface ThreadOptions {
  /** As programPath has it. It posts a greeting for the first message that it gets, and then one answer for each, in their order. */
  readonly program: string
  /** What each such thread gets first; it starts meanwhile. */
  readonly first: Promise<unknown>
  readonly memoryLimitMiB?: number
  /** For one request, once the thread is ready. */
  readonly timeLimitMs?: number
}

interface Waiting<Request, Answer> {
  readonly request: Request
  resolve(answer: Answer): void
  reject(error: Error): void
}

/** The thread did not survive a request: it took too long or too much, or failed. The message says which. */
export class ThreadEndedError extends Error {
  override readonly name = 'ThreadEndedError'
}

/** A thread that does one thing after the other. One that ends fails what it was at, and the next request gets a new one. */
export class ThreadQueue<Request, Answer> {
  readonly #options: ThreadOptions
  readonly #waiting: Waiting<Request, Answer>[] = []
  #active: Waiting<Request, Answer> | undefined
  #limit: NodeJS.Timeout | undefined
  #thread: Thread | undefined
  #ready = false

  constructor(options: ThreadOptions) {
    this.#options = options
    this.#thread = this.#start()
  }

  ask(request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject })
      this.#next()
    })
  }

  /** Fails what has not been answered yet. */
  dispose(): void {
    const error = new ThreadEndedError('it is not needed any more')
    for (const { reject } of this.#waiting.splice(0)) reject(error)
    const thread = this.#thread
    if (thread) this.#onEnd(thread, error.message)
    void thread?.terminate()
  }

  #next(): void {
    if (this.#active) return
    this.#active = this.#waiting.shift()
    if (!this.#active) return
    this.#thread ??= this.#start()
    const thread = this.#thread
    const { request } = this.#active
    void this.#options.first.then(() => thread.postMessage(request))
    if (this.#ready) this.#startClock(thread)
  }

  #startClock(thread: Thread): void {
    const { timeLimitMs } = this.#options
    if (timeLimitMs === undefined || !this.#active) return
    this.#limit = setTimeout(() => {
      this.#onEnd(thread, `it took longer than ${timeLimitMs / 1_000} s`)
      void thread.terminate()
    }, timeLimitMs)
    this.#limit.unref()
  }

  #start(): Thread {
    const { program, first, memoryLimitMiB } = this.#options
    const resourceLimits = memoryLimitMiB === undefined ? {} : { maxOldGenerationSizeMb: memoryLimitMiB }
    const thread = new Thread(programPath(program), { resourceLimits })
    void first.then((message) => thread.postMessage(message))
    thread.unref()
    thread.on('message', (message) => this.#onMessage(thread, message))
    thread.on('error', (error) => this.#onEnd(thread, error.message))
    thread.on('exit', () => this.#onEnd(thread, 'the thread has ended'))
    return thread
  }

  #onMessage(thread: Thread, message: unknown): void {
    if (this.#thread !== thread) return
    if (this.#ready) {
      this.#settle(({ resolve }) => resolve(message as Answer))
      return
    }
    this.#ready = true
    this.#startClock(thread)
  }

  #onEnd(thread: Thread, why: string): void {
    if (this.#thread !== thread) return
    this.#thread = undefined
    this.#ready = false
    const error = new ThreadEndedError(why)
    this.#settle(({ reject }) => reject(error))
  }

  #settle(how: (active: Waiting<Request, Answer>) => void): void {
    clearTimeout(this.#limit)
    const active = this.#active
    this.#active = undefined
    if (active) how(active)
    this.#next()
  }
}
