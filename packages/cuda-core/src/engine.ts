import { PlumblineError } from '@plumbline/protocol/errors'
import { type Addon, addon, type EngineHandle, fromNative, guarded, type NativeJob } from './addon.ts'
import type {
  EngineInfo,
  GenerateJob,
  GenerateSink,
  Job,
  LoadOptions,
  MemoryUsed,
  Progress,
  TokenizerMetadata,
} from './types.ts'

/**
 * A loaded model: its weights, its one KV cache, and the one native thread that runs it. Whatever fails is a PlumblineError; after
 * dispose(), every call is one with the code ENGINE_DISPOSED.
 */
export class Engine {
  readonly info: EngineInfo
  readonly #addon: Addon
  readonly #handle: EngineHandle

  private constructor(native: Addon, handle: EngineHandle) {
    this.#addon = native
    this.#handle = handle
    this.info = guarded(() => native.info(handle))
  }

  /** Loads away from the JavaScript thread. ENGINE_BUSY while this thread has another engine, loaded or loading. */
  static async load({ onProgress, onTokenizer, ...options }: LoadOptions): Promise<Engine> {
    const native = addon()
    try {
      const handle = await native.load(
        options,
        (...step) => isolated(() => onProgress?.(...step)),
        (metadata) => isolated(() => onTokenizer?.(metadata)),
      )
      return new Engine(native, handle)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** A new copy at each call: of a large vocabulary, tens of megabytes. Throws INVALID_GGUF for keys that make no tokenizer. */
  tokenizerMetadata(): TokenizerMetadata {
    return guarded(() => this.#addon.tokenizerMetadata(this.#handle))
  }

  /**
   * Starts a job; the sink hears of its tokens and its end from later turns of the event loop. Throws ENGINE_BUSY while
   * another runs, INVALID_REQUEST and CONTEXT_OVERFLOW for a job that cannot be run.
   */
  generate(job: GenerateJob, sink: GenerateSink): Job {
    const handle = guarded(() =>
      this.#addon.generate(
        this.#handle,
        nativeJob(job),
        (tokens) => isolated(() => sink.onTokens({ tokens })),
        ({ error, ...result }) =>
          isolated(() => sink.onDone(error === undefined ? result : { ...result, error: fromNative(error) })),
      ),
    )
    return { cancel: () => this.#addon.cancel(handle) }
  }

  /** Cheap: an atomic counter. */
  progress(): Progress {
    return guarded(() => this.#addon.progress(this.#handle))
  }

  /** In bytes. */
  memoryUsed(): MemoryUsed {
    return guarded(() => this.#addon.memoryUsed(this.#handle))
  }

  /** Cancels what runs (its trace stays without `closed`: cut short), tells its sink, and gives everything back. */
  async dispose(): Promise<void> {
    await guarded(() => this.#addon.dispose(this.#handle))
  }
}

/** What a caller's function throws becomes an uncaught exception of a turn of its own: the addon's turn must end well. */
function isolated(call: () => void): void {
  try {
    call()
  } catch (error) {
    setImmediate(() => {
      throw error
    })
  }
}

function nativeJob({ trace, ...job }: GenerateJob): NativeJob {
  if (trace === undefined) return job
  const { manifest, values, ...rest } = trace
  const { run } = manifest
  if (typeof run !== 'string') throw new PlumblineError('INVALID_REQUEST', 'trace.manifest.run must be a string')
  return { ...job, trace: { ...rest, run, allValues: values === 'all', manifest: JSON.stringify(manifest) } }
}
