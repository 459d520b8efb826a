import type { PlumblineError, SamplingParameters } from '@plumbline/protocol'

/** `auto` takes the first CUDA device if this build and this machine have one, else the CPU. `emulator`: in addons built for tests. */
export type DeviceName = 'auto' | 'cpu' | `cuda:${number}` | 'emulator'
export type Precision = 'fast' | 'exact'

export interface LoadOptions {
  readonly modelPath: string
  readonly device: DeviceName
  readonly precision: Precision
  /** Of the CPU backend; default: the cores that this process may use. */
  readonly threads?: number
  /** Positions that the KV cache holds; default and maximum: what the model was trained with. */
  readonly contextLength?: number
  /** `fraction` goes from 0 to 1 over all stages. */
  onProgress?(fraction: number, stage: LoadStage): void
  /** What `tokenizerMetadata()` will say, while the weights are still being loaded; not called for a file in which it makes no tokenizer. */
  onTokenizer?(metadata: TokenizerMetadata): void
}

export type LoadStage = 'reading' | 'weights' | 'warming_up'

export interface EngineInfo {
  /** `general.architecture` */
  readonly architecture: string
  /** `general.name` */
  readonly name?: string
  /** The type that most of the weights have, for example `Q4_1`. */
  readonly quantKind: string
  readonly parameters: number
  readonly vocabSize: number
  /** Positions that the KV cache holds. */
  readonly contextLength: number
  readonly trainedContextLength: number
  readonly embeddingLength: number
  readonly layers: number
  /** `cpu` or `cuda:N` (`emulator` in addons built for tests) */
  readonly device: string
  /** Device and variant, for example `cpu:avx512`. */
  readonly backend: string
  /** What the addon was built with, for a person. */
  readonly builtBackends: readonly string[]
  readonly threads: number
  readonly precision: Precision
  /** What matrices are multiplied with: float32, or 8 bits with a scale for a block where the weights are quantised. */
  readonly activations: 'F32' | 'Q8'
  /** Why `auto` did not take a GPU. */
  readonly fallbackReason?: string
  /** Weights, KV cache and workspace. */
  readonly memoryBytes: number
  readonly fileBytes: number
}

/** The file's `tokenizer.*` keys as they are, without the `tokenizer.ggml.` before them. Ids are of the vocabulary, merges are pairs. */
export interface TokenizerMetadata {
  readonly model: string
  readonly pre?: string
  /** By id, spelled as in the file. */
  readonly tokens: readonly string[]
  readonly scores?: Float32Array
  readonly tokenTypes?: Int32Array
  readonly merges?: readonly string[]
  readonly bosId?: number
  readonly eosId?: number
  readonly eotId?: number
  readonly eomId?: number
  readonly unknownId?: number
  readonly paddingId?: number
  readonly addBos?: boolean
  readonly addEos?: boolean
  readonly addSpacePrefix?: boolean
  readonly chatTemplate?: string
}

export interface GenerateJob {
  /** At least one, each below the vocabulary size. */
  readonly promptTokenIds: Uint32Array
  /** At least 1; prompt and answer must fit the context length. 0 with a trace: the prompt is evaluated, nothing sampled. */
  readonly maxTokens: number
  readonly sampling: SamplingParameters
  /** Sampling one of these ends the job; it is not emitted. */
  readonly eosIds: readonly number[]
  /** Emit end-of-sequence tokens as any other and go on to maxTokens. */
  readonly ignoreEos: boolean
  /** How many of the likeliest tokens each record lists with their log-probabilities; 0: no log-probabilities at all. */
  readonly logprobs: number
  /** Positions evaluated at once. */
  readonly prefillChunk?: number
  readonly trace?: TraceJob
}

export interface TraceJob {
  /** Made if it is not there; must be empty. */
  readonly directory: string
  readonly level: 'logits' | 'layers' | 'ops'
  /** Logits at every position of the prompt, not only at its last. */
  readonly allPositionsLogits: boolean
  readonly values: 'first8' | 'all'
  /** What manifest.json holds from the start (DESIGN.md 3.4): all that the native side does not know. */
  readonly manifest: Readonly<Record<string, unknown>>
}

export interface TopToken {
  readonly id: number
  readonly logprob: number
}

export interface TokenRecord {
  /** In the answer: 0, 1, 2, … */
  readonly index: number
  readonly id: number
  /** Of the model's distribution, natural logarithm. */
  readonly logprob?: number
  /** Likeliest first. */
  readonly top?: readonly TopToken[]
}

export interface TokenBatch {
  readonly tokens: readonly TokenRecord[]
}

export type StopReason = 'EOS' | 'MAX_TOKENS' | 'CANCELLED' | 'ERROR'

export interface GenerateResult {
  /** Records emitted. */
  readonly tokens: number
  readonly stopReason: StopReason
  readonly prefillMs: number
  readonly decodeMs: number
  /** With stopReason ERROR. */
  readonly error?: PlumblineError
  readonly trace?: TraceResult
}

export interface TraceResult {
  readonly records: number
  readonly bytes: number
  /** Why the trace ended before the generation did, for example a full disk. */
  readonly stopped?: string
}

export interface GenerateSink {
  /** All records that have come since the last call, in order; never empty. */
  onTokens(batch: TokenBatch): void
  /** Once, after the last onTokens. */
  onDone(result: GenerateResult): void
}

export interface Job {
  /** Atomic; seen between two layers. After the end it does nothing. */
  cancel(): void
}

export interface Progress {
  /** Layers computed since the engine was loaded. */
  readonly counter: number
  readonly activeJob: boolean
}

export interface MemoryUsed {
  readonly weights: number
  readonly kvCache: number
  readonly workspace: number
}

export interface DeviceProbe {
  /** The device that `load` would use. */
  readonly device: string
  readonly backend: string
  readonly fallbackReason?: string
}

export interface GgufInspection {
  readonly version: number
  readonly fileBytes: number
  readonly architecture?: string
  readonly name?: string
  readonly quantKind: string
  readonly parameters: number
  /** Arrays by their element type and length only: a vocabulary is no thing to print. */
  readonly metadata: Readonly<Record<string, MetadataValue>>
  readonly tensors: readonly InspectedTensor[]
  /** Why the model cannot be run; absent when it can. */
  readonly problem?: PlumblineError
}

export type MetadataValue = string | number | bigint | boolean | { readonly array: string; readonly length: number }

export interface InspectedTensor {
  readonly name: string
  /** ggml order: the contiguous dimension first. */
  readonly shape: readonly number[]
  readonly type: string
  readonly bytes: number
}
