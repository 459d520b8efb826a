import type { OptionValues } from '../config/options.ts'
import { EngineSupervisor } from '../engine-host/engine-supervisor.ts'
import type { EngineInfo } from '../engine-host/messages.ts'
import { weightsFingerprint } from '../engine-host/weights-fingerprint.ts'
import { JobQueue } from '../scheduling/job-queue.ts'
import { fileSha256 } from '../telemetry/file-sha256.ts'
import type { Logger } from '../telemetry/log.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { ProcessMemory } from '../telemetry/process-memory.ts'
import { PromptEncoder } from '../tokenization/prompt-encoder.ts'
import { Vocabulary, type VocabularyData } from '../tokenization/vocabulary.ts'

export interface ModelFile {
  /** What it is called in answers. */
  readonly name: string
  readonly path: string
}

/** What the routes share: one model, its engine, its queue. */
export class Worker {
  readonly options: OptionValues
  readonly modelFile: ModelFile
  readonly log: Logger
  readonly metrics = new Metrics()
  readonly engine: EngineSupervisor
  readonly queue: JobQueue
  readonly startedAt = performance.now()
  readonly frontMemory = new ProcessMemory(() => process.pid)
  readonly engineMemory = new ProcessMemory(() => this.engine.pid)
  shuttingDown = false
  /** Unknown until the model is loaded. */
  vocabulary: Vocabulary | undefined
  encoder: PromptEncoder | undefined
  /** Of the model file; null until it has been read through. */
  modelSha256: string | null = null
  #hashing: Promise<void> | undefined
  #fingerprint: Promise<string | undefined> | undefined
  /** To the encoder, which waits for it. */
  #giveTokenizer: ((json: SharedArrayBuffer) => void) | undefined

  constructor(options: OptionValues, modelFile: ModelFile, log: Logger) {
    this.options = options
    this.modelFile = modelFile
    this.log = log
    const { device, precision, threads, contextLength } = options
    this.engine = new EngineSupervisor({
      engine: {
        modelPath: modelFile.path,
        device,
        precision,
        ...(threads !== undefined && { threads }),
        ...(contextLength !== undefined && { contextLength }),
      },
      stallMs: options.engineStallSec * 1_000,
      adoptVocabulary: (vocabulary) => this.#adoptVocabulary(vocabulary),
      adoptTokenizer: (json) => this.#giveTokenizer?.(json),
    })
    this.queue = new JobQueue(this.engine, options.maxQueue)
    this.engine.on('lost', (reason) => {
      // A first load that fails is told by whoever waits for it.
      if (this.info && !this.shuttingDown)
        log.error({ code: reason.code, restarts: this.engine.restarts }, reason.message)
    })
    this.engine.on('output', (line) => log.warn({ engine_output: line }, 'the engine process printed something'))
    this.engine.once('idle', () => void this.freshMemory())
    this.engine.on('idle', () => void this.hashModel())
    this.metrics.observe({
      queueActive: () => this.queue.active,
      queueWaiting: () => this.queue.waiting,
      engineRestarts: () => this.engine.restarts,
      memoryBytes: () => ({ front: this.frontMemory.bytes, engine: this.engineMemory.bytes }),
      vramBytes: () => this.vramBytes,
    })
  }

  get info(): EngineInfo | undefined {
    return this.engine.info
  }

  /** Resolves when the two memory figures are no older than a tenth of a second. */
  async freshMemory(): Promise<void> {
    await Promise.all([this.frontMemory.fresh(), this.engineMemory.fresh()])
  }

  get vramBytes(): number {
    const { info, memory } = this.engine
    return info?.device.startsWith('cuda') && memory ? memory.weights + memory.kvCache + memory.workspace : 0
  }

  /** Resolves once the sha256 of the model file is known, or cannot be known. */
  hashModel(): Promise<void> {
    if (this.#hashing) return this.#hashing
    const hashing = fileSha256(this.modelFile.path).then(
      (sha256) => {
        if (this.#hashing === hashing) this.modelSha256 = sha256
      },
      (error) => this.log.warn({ err: error }, 'the model file cannot be hashed'),
    )
    this.#hashing = hashing
    return hashing
  }

  /** Of the weights that are loaded; computed when the first trace asks for it. Undefined where it cannot be known. */
  weightsFingerprint(): Promise<string | undefined> {
    this.#fingerprint ??= weightsFingerprint(this.modelFile.path).catch((error) => {
      this.log.warn({ err: error }, "the model's weights cannot be read for their fingerprint")
      return undefined
    })
    return this.#fingerprint
  }

  /** The model has been loaded for the first time, or its file is another one than before. */
  #adoptVocabulary(vocabulary: VocabularyData): void {
    this.vocabulary = new Vocabulary(vocabulary)
    this.encoder?.dispose()
    const metadata = new Promise<SharedArrayBuffer>((resolve) => (this.#giveTokenizer = resolve))
    this.encoder = new PromptEncoder(metadata, vocabulary.chatTemplate)
    this.modelSha256 = null
    this.#hashing = undefined
    this.#fingerprint = undefined
  }
}
