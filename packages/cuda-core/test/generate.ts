import { committedAsset } from '@plumbline/protocol/testing'
import type { Engine, GenerateJob, GenerateResult, LoadOptions, TokenRecord } from '../src/index.ts'

export const stories260K = committedAsset('stories260K/stories260K-f32.gguf')

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
