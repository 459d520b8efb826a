import { EventEmitter } from 'node:events'
import { statSync } from 'node:fs'
import { PlumblineError } from '@plumbline/protocol/errors'
import type { VocabularyData } from '../tokenization/vocabulary.ts'
import { EngineConnection } from './engine-connection.ts'
import type { EngineInfo, EngineJob, EngineMemory, EngineMessage, EngineOptions } from './messages.ts'
import { spawnEngine } from './spawn-engine.ts'
import { StallWatch } from './stall-watch.ts'
import type { SampledToken } from './token-batch.ts'

export interface JobResult {
  readonly stopReason: 'EOS' | 'MAX_TOKENS' | 'CANCELLED' | 'ERROR'
  readonly tokens: number
  readonly prefillMs: number
  readonly decodeMs: number
  /** With stopReason ERROR. */
  readonly error?: PlumblineError
  /** Why its trace ended before the generation did, or never began. */
  readonly traceStopped?: string
}

export interface JobSink {
  onTokens(tokens: readonly SampledToken[]): void
  /** Called exactly once, whatever becomes of the engine. */
  onDone(result: JobResult): void
}

export interface SupervisorOptions {
  readonly engine: EngineOptions
  /** Without progress for so long, the engine process is replaced. */
  readonly stallMs: number
  /** Of a model that is about to be ready; not of a file that was loaded before. */
  adoptVocabulary(vocabulary: VocabularyData): void
  /** The tokenizer's metadata of that model, as JSON, which follows soon. */
  adoptTokenizer(json: SharedArrayBuffer): void
}

export type ProbedDevice = Omit<Extract<EngineMessage, { type: 'device' }>, 'type'>

interface SupervisorEvents {
  device: [probed: ProbedDevice]
  /** Ready for a job. */
  idle: []
  /** The engine process has ended by itself or has been replaced. */
  lost: [reason: PlumblineError]
  /** The first load did not work out: there is no engine, and there will be none. */
  failed: [reason: PlumblineError]
  output: [line: string]
}

/** Without progress for so long, a running job is called stalled. */
const STALLED_MS = 1_000
/**
 * Of stall limits: how long loading may stay at one stage, and how long a job that goes on computing may take to stop when told to.
 * Neither reports as often as computing does, layer by layer.
 */
const PATIENCE = 6
/** An estimate beyond that says no more than that it will take long. */
const LONGEST_ESTIMATE_MS = 60_000
/** What the engine process may take until it asks the driver: on a machine that is busy with other things a start takes seconds. */
const START_LIMIT_MS = 60_000
/** What a driver may take until it has said which device there is. */
const PROBE_LIMIT_MS = 5_000
const CRASH_LOOP_LOSSES = 3
const MAX_BACK_OFF_MS = 60_000
const STOP_LIMIT_MS = 1_500

/** Keeps one engine process alive, gives it one job at a time, and replaces it when it dies or stalls. */
export class EngineSupervisor extends EventEmitter<SupervisorEvents> {
  readonly #options: SupervisorOptions
  readonly #watch = new StallWatch(() => this.#replaceStalled())
  #phase: 'starting' | 'loading' | 'ready' | 'backing_off' | 'stopped' = 'stopped'
  #connection: EngineConnection | undefined
  #active: { readonly number: number; readonly sink: JobSink; cancelled: boolean; complete: boolean } | undefined
  #jobNumber = 0
  #probe: 'ahead' | 'running' | 'done' = 'ahead'
  #lastCounter = -1
  #loading = { fraction: 0, stage: '' }
  #loadStartedAt = 0
  #loadMs = 0
  #info: EngineInfo | undefined
  #memory: EngineMemory | undefined
  #loadedFile: string | undefined
  #everBusy = false
  #restarts = 0
  /** In a row, with no job completed between them. */
  #losses = 0
  #retryAt = 0
  #backOff: NodeJS.Timeout | undefined

  constructor(options: SupervisorOptions) {
    super()
    this.#options = options
  }

  /** @param child an engine process that has been spawned already */
  start(child = spawnEngine()): void {
    const { engine } = this.#options
    const modelFile = fileIdentity(engine.modelPath)
    this.#phase = 'starting'
    this.#lastCounter = -1
    this.#loading = { fraction: 0, stage: '' }
    this.#loadStartedAt = performance.now()
    const connection = new EngineConnection(
      {
        onMessage: (message) => {
          this.#onMessage(message, connection)
        },
        onTokens: (job, tokens) => {
          this.#watch.news()
          if (this.#active?.number === job) this.#active.sink.onTokens(tokens)
        },
        onVocabulary: (vocabulary) => this.#options.adoptVocabulary(vocabulary),
        onTokenizer: (json) => {
          this.#loadedFile = modelFile // with all that there is to know of it
          this.#options.adoptTokenizer(json)
        },
        onOutput: (line) => this.emit('output', line),
        onClose: (reason) => this.#onClose(reason),
      },
      child,
    )
    this.#connection = connection
    connection.send({ type: 'load', options: engine, sendTokenizer: modelFile !== this.#loadedFile })
    this.#probe = 'ahead'
    this.#watch.start(START_LIMIT_MS)
  }

  /** Only when `state` is ready and no job is active. */
  generate(request: EngineJob, sink: JobSink): void {
    this.#active = { number: ++this.#jobNumber, sink, cancelled: false, complete: false }
    this.#everBusy = true
    this.#connection?.send({ type: 'generate', job: this.#jobNumber, request })
    this.#watch.start(this.#options.stallMs)
  }

  /**
   * Ends the active job between two tokens; its `onDone` follows, if need be by replacing the engine. `complete`: the job has all
   * that it was there for, and speaks for the engine as one does that came to its end.
   */
  cancel(complete: boolean): void {
    const active = this.#active
    if (!active || active.cancelled) return
    active.cancelled = true
    active.complete = complete
    this.#connection?.send({ type: 'cancel', job: active.number })
    const limitMs = this.#options.stallMs * PATIENCE
    const limit = setTimeout(() => {
      const message = `the engine did not stop a job within ${limitMs / 1_000} s and was replaced`
      if (this.#active === active) this.#connection?.kill(new PlumblineError('ENGINE_STALLED', message))
    }, limitMs)
    limit.unref()
  }

  async stop(): Promise<void> {
    const running = this.#connection
    this.#phase = 'stopped'
    this.#watch.stop()
    clearTimeout(this.#backOff)
    if (!running) return
    const closed = new Promise<void>((resolve) => this.once('lost', () => resolve()))
    running.send({ type: 'stop' })
    const limit = setTimeout(() => running.kill(new PlumblineError('SHUTTING_DOWN', 'stopped')), STOP_LIMIT_MS)
    await closed
    clearTimeout(limit)
  }

  get state(): 'starting' | 'loading' | 'ready' | 'stalled' | 'backing_off' | 'stopped' {
    if (this.#phase === 'ready' && this.#active && this.#watch.silenceMs > STALLED_MS) return 'stalled'
    return this.#phase
  }

  get idle(): boolean {
    return this.#phase === 'ready' && !this.#active
  }

  get inCrashLoop(): boolean {
    return this.#losses >= CRASH_LOOP_LOSSES && this.#phase !== 'ready'
  }

  get pid(): number | null {
    return this.#connection?.pid ?? null
  }

  get restarts(): number {
    return this.#restarts
  }

  /** Of the load under way, 0 to 1. */
  get loadFraction(): number {
    return this.#loading.fraction
  }

  /** How long the last load took. */
  get loadMs(): number {
    return this.#loadMs
  }

  get info(): EngineInfo | undefined {
    return this.#info
  }

  get memory(): EngineMemory | undefined {
    return this.#memory
  }

  get lastProgressMs(): number | null {
    return this.#everBusy ? this.#watch.silenceMs : null
  }

  /** An estimate of when the engine will be ready. */
  get readyInMs(): number {
    const now = performance.now()
    if (this.#phase === 'ready') return 0
    if (this.#phase === 'backing_off') return this.#retryAt - now + this.#loadMs
    const elapsed = now - this.#loadStartedAt
    const { fraction } = this.#loading
    const left = fraction > 0.05 ? (elapsed * (1 - fraction)) / fraction : this.#loadMs - elapsed
    return Math.min(Math.max(left, 1_000), LONGEST_ESTIMATE_MS)
  }

  #onMessage(message: EngineMessage, connection: EngineConnection): void {
    switch (message.type) {
      case 'hello':
        this.#phase = 'loading'
        this.#watch.news()
        break
      case 'probing':
        this.#probe = 'running'
        this.#watch.start(PROBE_LIMIT_MS)
        break
      case 'device':
        this.#probe = 'done'
        this.#watch.start(this.#options.stallMs * PATIENCE)
        this.emit('device', message)
        break
      case 'loading':
        if (message.fraction !== this.#loading.fraction || message.stage !== this.#loading.stage) this.#watch.news()
        this.#loading = message
        break
      case 'loaded':
        this.#onLoaded(message)
        break
      case 'load_failed': {
        const { code, message: text, fields } = message.error
        connection.kill(new PlumblineError(code, text, fields))
        break
      }
      case 'progress':
        if (message.counter !== this.#lastCounter) this.#watch.news()
        this.#lastCounter = message.counter
        break
      case 'done':
        this.#onDone(connection, message)
    }
  }

  #onLoaded({ info, memory }: Extract<EngineMessage, { type: 'loaded' }>): void {
    if (this.#phase === 'stopped') return
    this.#watch.stop()
    this.#info = info
    this.#memory = memory
    this.#loading = { fraction: 1, stage: 'ready' }
    this.#loadMs = performance.now() - this.#loadStartedAt
    this.#phase = 'ready'
    this.emit('idle')
  }

  #onDone(connection: EngineConnection, message: Extract<EngineMessage, { type: 'done' }>): void {
    const active = this.#active
    if (active?.number !== message.job) return
    this.#memory = message.memory
    this.#watch.stop()
    this.#watch.news()
    this.#active = undefined
    const { stopReason, tokens, prefillMs, decodeMs, error: wire, traceStopped } = message
    if (stopReason === 'EOS' || stopReason === 'MAX_TOKENS' || active.complete) this.#losses = 0
    const error = wire && new PlumblineError(wire.code, wire.message, wire.fields)
    // After a CUDA error the device context is of no more use, and only a new process gets a new one.
    const replace = error?.code === 'CUDA_ERROR'
    if (replace) {
      this.#phase = 'starting'
      connection.kill(error)
    }
    active.sink.onDone({
      stopReason,
      tokens,
      prefillMs,
      decodeMs,
      ...(error && { error }),
      ...(traceStopped !== undefined && { traceStopped }),
    })
    if (!replace) this.emit('idle')
  }

  #replaceStalled(): void {
    const seconds = (this.#watch.silenceMs / 1_000).toFixed(1)
    if (this.#probe === 'running') {
      const message = `the device did not answer within ${seconds} s`
      this.#connection?.kill(new PlumblineError('DEVICE_UNAVAILABLE', message))
      return
    }
    const idle = this.#probe === 'ahead' ? 'did not start' : 'made no progress with loading'
    const what = this.#active ? 'computed no layer' : idle
    this.#connection?.kill(new PlumblineError('ENGINE_STALLED', `the engine ${what} for ${seconds} s and was replaced`))
  }

  #onClose(reason: PlumblineError): void {
    const active = this.#active
    this.#active = undefined
    this.#connection = undefined
    this.#watch.stop()
    if (this.#phase !== 'stopped') {
      if (!this.#info) {
        this.#phase = 'stopped'
        this.emit('failed', reason)
      } else {
        this.#restart()
      }
    }
    active?.sink.onDone({ stopReason: 'ERROR', tokens: 0, prefillMs: 0, decodeMs: 0, error: reason })
    this.emit('lost', reason)
  }

  #restart(): void {
    this.#losses++
    this.#restarts++
    if (this.#losses < CRASH_LOOP_LOSSES) {
      this.start()
      return
    }
    const delayMs = Math.min(1_000 * 2 ** (this.#losses - CRASH_LOOP_LOSSES), MAX_BACK_OFF_MS)
    this.#phase = 'backing_off'
    this.#retryAt = performance.now() + delayMs
    this.#backOff = setTimeout(() => this.start(), delayMs)
  }
}

/** Changes when the file is replaced or written to. */
function fileIdentity(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat ? [stat.dev, stat.ino, stat.size, stat.mtimeNs].join(':') : 'missing'
}
