import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { SamplingParameters } from '@plumbline/protocol'
// Not from the package's front door: that loads its schemas, which an engine process has no use for.
import { ERRORS, type ErrorCode, PlumblineError } from '@plumbline/protocol/errors'
import type {
  DeviceName,
  DeviceProbe,
  EngineInfo,
  GenerateJob,
  GenerateResult,
  GgufInspection,
  LoadOptions,
  LoadStage,
  MemoryUsed,
  Progress,
  TokenizerMetadata,
  TokenRecord,
  TopToken,
  TraceJob,
} from './types.ts'

/** Opaque: an object that only the addon can look into, and whose kind it checks at each use. */
export interface EngineHandle {
  readonly kind: unique symbol
}
export interface JobHandle {
  readonly kind: unique symbol
}

export interface NativeTraceJob extends Omit<TraceJob, 'manifest' | 'values'> {
  readonly run: string
  readonly allValues: boolean
  /** JSON */
  readonly manifest: string
}

export interface NativeJob extends Omit<GenerateJob, 'trace'> {
  readonly trace?: NativeTraceJob
}

/** An Error with `code` and `fields`, not yet a PlumblineError. */
export type NativeError = Error

/** What native/node/addon.cpp exports. */
export interface Addon {
  readonly interfaceVersion: number
  load(
    options: Omit<LoadOptions, 'onProgress' | 'onTokenizer'>,
    onProgress: (fraction: number, stage: LoadStage) => void,
    onTokenizer: (metadata: TokenizerMetadata) => void,
  ): Promise<EngineHandle>
  info(engine: EngineHandle): EngineInfo
  tokenizerMetadata(engine: EngineHandle): TokenizerMetadata
  generate(
    engine: EngineHandle,
    job: NativeJob,
    onTokens: (tokens: TokenRecord[]) => void,
    onDone: (result: Omit<GenerateResult, 'error'> & { error?: NativeError }) => void,
  ): JobHandle
  progress(engine: EngineHandle): Progress
  memoryUsed(engine: EngineHandle): MemoryUsed
  dispose(engine: EngineHandle): Promise<void>
  cancel(job: JobHandle): void
  inspect(options: { modelPath: string }): Omit<GgufInspection, 'problem'> & { problem?: NativeError }
  probeDevice(options: { device: string }): DeviceProbe
  readWeights(
    options: { modelPath: string },
    use: (name: string, shape: readonly number[], values: Float32Array) => void,
  ): void
  builtBackends(): string[]
  endWithParent(): boolean

  sample(options: {
    logits: Float32Array
    sampling: SamplingParameters
    history: readonly number[]
    answerIndex: number
  }): number
  noise(options: { seed: bigint; tokenId: number; answerIndex: number }): { word: number; gumbel: number }
  logProbabilities(options: { logits: Float32Array; chosen: number; top: number }): {
    logprob: number
    top: TopToken[]
  }
  cpuVariants(): string[]
  runOp(options: OpCall & BackendChoice & { precision?: 'fast' | 'exact' }): Float32Array
  evaluate(
    options: {
      modelPath: string
      tokenIds: Uint32Array
      precision: 'fast' | 'exact'
      chunk?: number
      checkpoints?: boolean
    } & BackendChoice,
  ): Evaluation
}

/** `device` is `cpu` unless given; `threads` and `variant` are the CPU's. */
interface BackendChoice {
  device?: DeviceName
  threads?: number
  variant?: string
}

/** An op of native/backend/backend.h on data of the caller's; matrices are dense rows. The result is dense rows too. */
export type OpCall =
  | { op: 'embedding'; type: string; weight: Uint8Array; width: number; tokenIds: Uint32Array }
  | { op: 'linear'; type: string; weight: Uint8Array; width: number; input: Float32Array; bias?: Float32Array }
  | { op: 'rms_norm'; input: Float32Array; gain: Float32Array; epsilon: number }
  | {
      op: 'rope'
      input: Float32Array
      heads: number
      headLength: number
      ropeDimensions: number
      ropeTheta: number
      pairing: 'neighbours' | 'halves'
      firstPosition: number
    }
  /** Keys and values of all positions from 0 on, queries of the last ones. */
  | {
      op: 'attention'
      queries: Float32Array
      keys: Float32Array
      values: Float32Array
      heads: number
      kvHeads: number
      keyLength: number
      valueLength: number
    }
  | { op: 'swiglu'; gate: Float32Array; up: Float32Array; width: number }
  | { op: 'add'; input: Float32Array; residual: Float32Array; width: number }

/** A forward pass over the given tokens. */
export interface Evaluation {
  readonly backend: string
  readonly vocabSize: number
  /** A row of vocabSize for each token. */
  readonly logits: Float32Array
  /** In the order of computation, chunk by chunk. */
  readonly checkpoints: readonly EvaluatedCheckpoint[]
}

export interface EvaluatedCheckpoint {
  /** As in a trace: `blk.0.attn_q`, `output_norm`. */
  readonly name: string
  readonly firstPosition: number
  readonly rows: number
  readonly width: number
  /** [rows, width] */
  readonly values: Float32Array
}

/** That of native/node/addon.cpp: an addon from before the last change of the interface is refused. */
const INTERFACE_VERSION = 4
const HOW_TO_BUILD = 'build it with: pnpm --filter @plumbline/cuda-core build:native'

let loaded: Addon | undefined

/** Loads the addon once. PLUMBLINE_ADDON names another file than the package's own. */
export function addon(): Addon {
  loaded ??= loadAddon(
    process.env.PLUMBLINE_ADDON ?? fileURLToPath(new URL('../build/Release/plumbline.node', import.meta.url)),
  )
  return loaded
}

export function loadAddon(path: string): Addon {
  const unavailable = (why: string, cause?: unknown) =>
    new PlumblineError('ADDON_UNAVAILABLE', `the native addon ${path} ${why}; ${HOW_TO_BUILD}`, { path }, cause)
  if (!existsSync(path)) throw unavailable('is not there')
  let candidate: Addon
  try {
    candidate = createRequire(import.meta.url)(path)
  } catch (error) {
    throw unavailable(`cannot be loaded (${error instanceof Error ? error.message : error})`, error)
  }
  if (candidate.interfaceVersion !== INTERFACE_VERSION) {
    throw unavailable(`has interface version ${candidate.interfaceVersion}, this package needs ${INTERFACE_VERSION}`)
  }
  return candidate
}

/** Calls the addon; what it throws becomes a PlumblineError. */
export function guarded<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw fromNative(error)
  }
}

export function fromNative(error: unknown): PlumblineError {
  if (error instanceof PlumblineError || !(error instanceof Error)) return PlumblineError.from(error)
  const { code, fields } = error as { code?: unknown; fields?: Record<string, unknown> }
  if (typeof code !== 'string' || !(code in ERRORS)) return PlumblineError.from(error)
  return new PlumblineError(code as ErrorCode, error.message, fields, error)
}
