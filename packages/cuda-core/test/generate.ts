import { fileURLToPath } from 'node:url'
import { committedAsset } from '@plumbline/protocol/testing'
import type { Engine, GenerateJob, GenerateResult, LoadOptions, TokenRecord } from '../src/index.ts'

export const stories260K = committedAsset('stories260K/stories260K-f32.gguf')

/** The model in the repository that has room for thousands of tokens. */
const haikuNano = fileURLToPath(new URL('../../../models/haiku-nano/haiku-nano-q8_0.gguf', import.meta.url))

export const loadOptions = {
  modelPath: stories260K,
  device: 'cpu',
  precision: 'exact',
  threads: 1,
} as const satisfies LoadOptions

/** Greedy, without end-of-sequence. */
export const job: GenerateJob = {
  promptTokenIds: Uint32Array.of(1, 403, 407, 261, 378),
  maxTokens: 48,
  sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0n },
  eosIds: [],
  ignoreEos: false,
  logprobs: 0,
}

/** Takes a second or more, so that what is done to a running job finds it running, however busy the machine is. */
export const longLoadOptions = { ...loadOptions, modelPath: haikuNano }
export const longJob: GenerateJob = { ...job, maxTokens: 2_000 }

export interface Generated {
  readonly tokens: readonly TokenRecord[]
  readonly result: GenerateResult
}

/** Runs a job to its end. */
export function generate(engine: Engine, overrides: Partial<GenerateJob> = {}): Promise<Generated> {
  const tokens: TokenRecord[] = []
  return new Promise((resolve) => {
    engine.generate(
      { ...job, ...overrides },
      {
        onTokens: (batch) => tokens.push(...batch.tokens),
        onDone: (result) => resolve({ tokens, result }),
      },
    )
  })
}
