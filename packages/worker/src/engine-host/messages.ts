import type { SamplingParameters, TracedLevel } from '@plumbline/protocol'
import { ERRORS, type ErrorCode } from '@plumbline/protocol/errors'
import { z } from 'zod'

// A schema compiled at its first use takes some ten milliseconds, in the middle of a start, for messages that are few and small.
z.config({ jitless: true })

// What the two processes say to each other, as JSON frames. Tokens have a frame of their own (token-batch.ts), and so have, when they were
// asked for, the vocabulary (vocabulary-bytes.ts), before `loaded`, and the tokenizer's metadata (JSON of tokenizer-metadata.ts), behind it.

export interface EngineOptions {
  readonly modelPath: string
  readonly device: string
  readonly precision: 'fast' | 'exact'
  readonly threads?: number
  readonly contextLength?: number
}

export interface JobTrace {
  readonly directory: string
  readonly level: TracedLevel
  /** Logits at every prompt position, and not only where a served request computes them anyway. */
  readonly allPositionsLogits: boolean
  readonly values: 'first8' | 'all'
  /** What the native side cannot know, e.g. the sha256 of the model file. */
  readonly manifest: Readonly<Record<string, unknown>>
}

export interface EngineJob {
  readonly promptTokenIds: readonly number[]
  readonly maxTokens: number
  readonly sampling: Omit<SamplingParameters, 'seed'> & { readonly seed: string }
  readonly eosIds: readonly number[]
  readonly ignoreEos: boolean
  readonly logprobs: number
  /** Positions of the prompt evaluated at once. */
  readonly prefillChunk?: number
  readonly trace?: JobTrace
}

/** From the front to the engine process, which trusts it. */
export type FrontMessage =
  | { readonly type: 'load'; readonly options: EngineOptions; readonly sendTokenizer: boolean }
  | { readonly type: 'generate'; readonly job: number; readonly request: EngineJob }
  | { readonly type: 'cancel'; readonly job: number }
  | { readonly type: 'stop' }

const errorSchema = z.object({
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  fields: z.record(z.string(), z.unknown()),
})

const count = z.int().min(0)
const memorySchema = z.object({ weights: count, kvCache: count, workspace: count })

const engineInfoSchema = z.object({
  architecture: z.string(),
  name: z.string().optional(),
  quantKind: z.string(),
  parameters: count,
  vocabSize: z.int().min(1),
  contextLength: z.int().min(1),
  trainedContextLength: count,
  embeddingLength: count,
  layers: z.int().min(1),
  device: z.string(),
  backend: z.string(),
  builtBackends: z.array(z.string()).readonly(),
  threads: count,
  precision: z.enum(['fast', 'exact']),
  activations: z.enum(['F32', 'Q8']),
  memoryBytes: count,
  fileBytes: count,
})

/** From the engine process to the front, which trusts nothing that a crashing process may have written. */
export const engineMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), pid: z.int().min(1) }),
  /** From now on it is up to the driver. */
  z.object({ type: z.literal('probing') }),
  /** The device has been probed and will be used. */
  z.object({
    type: z.literal('device'),
    device: z.string(),
    backend: z.string(),
    /** Why `auto` did not take a GPU. */
    fallbackReason: z.string().optional(),
  }),
  z.object({ type: z.literal('loading'), fraction: z.number().min(0).max(1), stage: z.string() }),
  z.object({
    type: z.literal('loaded'),
    info: engineInfoSchema,
    memory: memorySchema,
  }),
  z.object({ type: z.literal('load_failed'), error: errorSchema }),
  /** Every 100 ms while it loads or generates. `counter` counts layers computed, over all jobs. */
  z.object({ type: z.literal('progress'), counter: count }),
  z.object({
    type: z.literal('done'),
    job: count,
    tokens: count,
    stopReason: z.enum(['EOS', 'MAX_TOKENS', 'CANCELLED', 'ERROR']),
    prefillMs: z.number().min(0),
    decodeMs: z.number().min(0),
    memory: memorySchema,
    error: errorSchema.optional(),
    /** Why its trace ended before the generation did, or never began. */
    traceStopped: z.string().optional(),
  }),
])

export type EngineMessage = z.output<typeof engineMessageSchema>
export type EngineInfo = z.output<typeof engineInfoSchema>
export type EngineMemory = z.output<typeof memorySchema>
/** What the engine process sends. */
export type EngineMessageWire = z.input<typeof engineMessageSchema>
