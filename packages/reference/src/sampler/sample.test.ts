import type { SamplingParameters } from '@plumbline/protocol'
import { samplerVectors } from '@plumbline/protocol/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gumbelNoise, noiseWord } from './gumbel-noise.ts'
import { logProbabilities, sample } from './sample.ts'

const vectors = samplerVectors()
const off: SamplingParameters = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0n }

describe('sample', () => {
  test('there are vectors enough', () => expect(vectors.length).toBeGreaterThan(250))

  test.each(vectors)('vector: $name', ({ logits, sampling, history, answerIndex, expected }) => {
    const { tokenId, kept } = sample(logits, sampling, history, answerIndex)
    expect(tokenId).toBe(expected.tokenId)
    expect(kept.length).toBe(expected.keptCount)
    if (sampling.temperature > 0) expect(kept.slice(0, expected.kept.length)).toEqual(expected.kept)
    expect(expected.kept.map((id) => noiseWord(sampling.seed, id, answerIndex))).toEqual(expected.philoxWords)
    for (const [i, id] of expected.kept.entries()) {
      expect(Math.abs(gumbelNoise(sampling.seed, id, answerIndex) - expected.gumbel[i]!)).toBeLessThan(1e-12)
    }
  })

  test('draws from the softmax: chi-square over 20,000 draws', () => {
    const logits = Float32Array.from([1, 0.5, 0, -0.5, -1, 2])
    const temperature = 0.8
    const weights = [...logits].map((logit) => Math.exp(logit / temperature))
    const total = weights.reduce((a, b) => a + b)
    const draws = 20_000
    const counts = new Array<number>(logits.length).fill(0)
    for (let i = 0; i < draws; i++) {
      const { tokenId } = sample(logits, { ...off, temperature, seed: BigInt(i >> 8) }, [], i & 255)
      counts[tokenId]!++
    }
    const expectedCounts = weights.map((weight) => (draws * weight) / total)
    const chiSquare = counts.reduce((sum, n, i) => sum + (n - expectedCounts[i]!) ** 2 / expectedCounts[i]!, 0)
    // 5 degrees of freedom: above 20.5 once in a thousand. The seeds are fixed, so this cannot flicker.
    expect(chiSquare).toBeLessThan(20.5)
  })

  test('what is kept is never empty, holds the likeliest token, and holds the token drawn', () => {
    const parameters = fc.record({
      temperature: fc.double({ min: 1e-300, max: 2, noNaN: true }),
      topK: fc.nat(20),
      topP: fc.double({ min: 0, max: 1, noNaN: true }),
      minP: fc.double({ min: 0, max: 1, noNaN: true }),
      repetitionPenalty: fc.double({ min: 0.01, max: 2, noNaN: true }),
      seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    })
    const logits = fc.float32Array({ minLength: 1, maxLength: 16, noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(logits, parameters, fc.array(fc.nat(15)), fc.nat(), (values, settings, history, index) => {
        const { tokenId, kept } = sample(values, settings, history, index)
        const greedy = sample(values, { ...settings, temperature: 0 }, history, index)
        expect(kept[0]).toBe(greedy.tokenId)
        expect(kept).toContain(tokenId)
        if (settings.topK > 0) expect(kept.length).toBeLessThanOrEqual(settings.topK)
      }),
    )
  })

  test('zero and minus zero are the same logit', () => {
    expect(sample(Float32Array.from([-1, -0, 0]), { ...off, temperature: 0 }, [], 0).tokenId).toBe(1)
  })

  test('a logit that is not finite is an error that names the token', () => {
    expect(() => sample(Float32Array.from([0, Number.NaN]), off, [], 0)).toThrow('logit 1 is NaN')
    expect(() => sample(Float32Array.from([-Infinity, 0]), off, [], 0)).toThrow('logit 0 is -Infinity')
  })
})

test('log-probabilities are those of the unchanged distribution, and sum to 1', () => {
  const result = logProbabilities(Float32Array.from([1000, 999, 0]))
  expect(result[0]).toBeCloseTo(-Math.log1p(Math.exp(-1)), 14)
  expect(result[1]).toBeCloseTo(-1 - Math.log1p(Math.exp(-1)), 14)
  expect(result.reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 14)
})
