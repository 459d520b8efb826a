import { readFileSync } from 'node:fs'
import { committedAsset } from '@plumbline/protocol/testing'
import { expect, test } from 'vitest'
import { logProbabilities, noise, sample } from '../src/testing.ts'

interface Case {
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
  expected: { token_id: number; kept: number[]; philox_words: number[]; gumbel: number[] }
}

const { cases } = JSON.parse(readFileSync(committedAsset('sampler.json'), 'utf8')) as { cases: Case[] }

function logitsOf({ logits, logits_formula: formula }: Case): Float32Array {
  if (formula === undefined) return Float32Array.from(logits!)
  const { count, multiplier, offset, modulus, divisor } = formula
  return Float32Array.from({ length: count }, (_, i) => (((i * multiplier + offset) % modulus) - modulus / 2) / divisor)
}

test('there are vectors', () => {
  expect(cases.length).toBeGreaterThan(300)
})

test.each(cases)('draws what the vectors say: $name', (vector) => {
  const { parameters, history, answer_index: answerIndex, expected } = vector
  const seed = BigInt(parameters.seed)
  const tokenId = sample({
    logits: logitsOf(vector),
    sampling: {
      temperature: parameters.temperature,
      topK: parameters.top_k,
      topP: parameters.top_p,
      minP: parameters.min_p,
      repetitionPenalty: parameters.repetition_penalty,
      seed,
    },
    history,
    answerIndex,
  })
  expect(tokenId).toBe(expected.token_id)
  for (const [at, token] of expected.kept.entries()) {
    const { word, gumbel } = noise({ seed, tokenId: token, answerIndex })
    expect(word).toBe(expected.philox_words[at])
    expect(Math.abs(gumbel - expected.gumbel[at]!)).toBeLessThan(1e-12)
  }
})

test('log-probabilities are log-softmax in float64', () => {
  const logits = Float32Array.from([0.5, -1, 3, 2])
  const logSum = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0))
  const { logprob, top } = logProbabilities({ logits, chosen: 1, top: 2 })
  expect(logprob).toBeCloseTo(-1 - logSum, 12)
  expect(top.map(({ id }) => id)).toEqual([2, 3])
  expect(top[0]!.logprob).toBeCloseTo(3 - logSum, 12)
})

test('parameters out of range are INVALID_REQUEST by name', () => {
  const sampling = { temperature: -1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0n }
  const options = { logits: Float32Array.from([0, 1]), sampling, history: [], answerIndex: 0 }
  expect(() => sample(options)).toThrow(
    expect.objectContaining({ code: 'INVALID_REQUEST', fields: expect.objectContaining({ field: 'temperature' }) }),
  )
  const tooLarge = { ...options, sampling: { ...sampling, temperature: 1, seed: 2n ** 64n } }
  expect(() => sample(tooLarge)).toThrow(
    expect.objectContaining({ code: 'INVALID_REQUEST', message: expect.stringContaining('seed') }),
  )
})
