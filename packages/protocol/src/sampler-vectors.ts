import { readFileSync } from 'node:fs'
import type { SamplingParameters } from './sampling.ts'

/** A case of `test-vectors/sampler.json`: what is given, and what every implementation must make of it. */
export interface SamplerVector {
  readonly name: string
  readonly logits: Float32Array
  readonly sampling: SamplingParameters
  readonly history: readonly number[]
  readonly answerIndex: number
  readonly expected: {
    readonly tokenId: number
    /** How many tokens are left to draw from. */
    readonly keptCount: number
    /** The first 64 of them, likeliest first; none with temperature 0. */
    readonly kept: readonly number[]
    /** The random word and the noise of each, the latter to be met within 1e-12. */
    readonly philoxWords: readonly number[]
    readonly gumbel: readonly number[]
  }
}

interface WrittenCase {
  name: string
  parameters: {
    temperature: number
    top_k: number
    top_p: number
    min_p: number
    repetition_penalty: number
    seed: string
  }
  history: number[]
  answer_index: number
  logits?: number[]
  logits_formula?: { count: number; multiplier: number; offset: number; modulus: number; divisor: number }
  expected: { token_id: number; kept_count: number; kept: number[]; philox_words: number[]; gumbel: number[] }
}

function logitsOf({ logits, logits_formula: formula }: WrittenCase): Float32Array {
  if (formula === undefined) return Float32Array.from(logits!)
  const { count, multiplier, offset, modulus, divisor } = formula
  return Float32Array.from({ length: count }, (_, i) => (((i * multiplier + offset) % modulus) - modulus / 2) / divisor)
}

export function samplerVectors(): SamplerVector[] {
  const file = new URL('../test-vectors/sampler.json', import.meta.url)
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: WrittenCase[] }
  return cases.map((written) => {
    const { name, parameters, history, answer_index: answerIndex, expected } = written
    return {
      name,
      logits: logitsOf(written),
      sampling: {
        temperature: parameters.temperature,
        topK: parameters.top_k,
        topP: parameters.top_p,
        minP: parameters.min_p,
        repetitionPenalty: parameters.repetition_penalty,
        seed: BigInt(parameters.seed),
      },
      history,
      answerIndex,
      expected: {
        tokenId: expected.token_id,
        keptCount: expected.kept_count,
        kept: expected.kept,
        philoxWords: expected.philox_words,
        gumbel: expected.gumbel,
      },
    }
  })
}
