import { fileURLToPath } from 'node:url'
import { asset, committedAsset } from '@plumbline/protocol/testing'
import { HonestPairs, type Subject, type WorkerRun } from './helpers/honest-pairs.ts'

/** What is compared of one model. */
interface Suite {
  readonly subject: () => Omit<Subject, 'name'>
  readonly worker: readonly WorkerRun[]
  /** How many tokens the oracle generates, and in what chunks it is given the prompt. */
  readonly oracle?: { readonly generated: number; readonly chunks: readonly number[] }
}

const RUNS: readonly WorkerRun[] = [
  { precision: 'fast', threads: 2, maxTokens: 16 },
  { precision: 'fast', threads: 1, prefillChunk: 3, maxTokens: 16 },
  { precision: 'exact', threads: 1, maxTokens: 16 },
  { precision: 'exact', threads: 2, prefillChunk: 1, maxTokens: 8 },
  { precision: 'fast', threads: 2, level: 'layers', maxTokens: 16 },
  { precision: 'exact', threads: 2, level: 'logits', maxTokens: 16 },
]

const fromAssets = (name: string) => () => ({
  model: asset(`models/${name}.gguf`),
  transformers: asset(`reference/transformers/${name}`),
  llamaCpp: asset(`reference/llama.cpp/${name}.json`),
})
const haikuNano = (path: string) => fileURLToPath(new URL(`../../../models/haiku-nano/${path}`, import.meta.url))

export const SUITES = {
  'stories260K-f32': {
    subject: () => ({
      model: committedAsset('stories260K/stories260K-f32.gguf'),
      transformers: committedAsset('stories260K/transformers'),
      llamaCpp: committedAsset('stories260K/llama.cpp.json'),
    }),
    worker: RUNS,
    oracle: { generated: 12, chunks: [1, 2, 3, 4, 7] },
  },
  'haiku-nano-q8_0': {
    subject: () => ({ model: haikuNano('haiku-nano-q8_0.gguf'), transformers: haikuNano('reference') }),
    worker: RUNS,
    oracle: { generated: 8, chunks: [1, 5] },
  },
  'stories15M-q8_0': { subject: fromAssets('stories15M-q8_0'), worker: RUNS },
  'random-qwen2-q4_k_m': {
    subject: fromAssets('random-qwen2-q4_k_m'),
    worker: RUNS,
    oracle: { generated: 8, chunks: [1, 5] },
  },
  'random-llama-q6_k': {
    subject: fromAssets('random-llama-q6_k'),
    worker: RUNS,
    oracle: { generated: 8, chunks: [1, 5] },
  },
  'smollm2-135m-instruct-q4_1': {
    subject: fromAssets('smollm2-135m-instruct-q4_1'),
    worker: [
      { precision: 'fast', threads: 2, maxTokens: 16 },
      { precision: 'fast', threads: 1, prefillChunk: 3, maxTokens: 8 },
      { precision: 'exact', threads: 1, maxTokens: 8 },
      { precision: 'exact', threads: 2, level: 'layers', maxTokens: 16 },
    ],
    oracle: { generated: 2, chunks: [3] },
  },
} as const satisfies Readonly<Record<string, Suite>>
export type SuiteName = keyof typeof SUITES

/** The pairs of one model: the worker's, the oracle's, or both. */
export async function comparePairs(name: SuiteName, of: readonly ('worker' | 'oracle')[]): Promise<HonestPairs> {
  const { subject, worker, oracle }: Suite = SUITES[name]
  const named = { name, ...subject() }
  const pairs = new HonestPairs()
  try {
    if (of.includes('worker')) await pairs.addWorker(named, worker)
    if (of.includes('oracle') && oracle !== undefined) await pairs.addOracle(named, oracle.generated, oracle.chunks)
  } finally {
    pairs.close()
  }
  return pairs
}
