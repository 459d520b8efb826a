import { samplerVectors } from '@plumbline/protocol/testing'
import { expect, test } from 'vitest'
import { logProbabilities, noise, sample } from '../src/testing.ts'

const vectors = samplerVectors()

test('there are vectors', () => {
  expect(vectors.length).toBeGreaterThan(300)
})

test.each(vectors)('draws what the vectors say: $name', ({ logits, sampling, history, answerIndex, expected }) => {
  expect(sample({ logits, sampling, history, answerIndex })).toBe(expected.tokenId)
  for (const [at, tokenId] of expected.kept.entries()) {
    const { word, gumbel } = noise({ seed: sampling.seed, tokenId, answerIndex })
    expect(word).toBe(expected.philoxWords[at])
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
