import type { SamplingParameters } from '@plumbline/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drawMargin } from './draw-margin.ts'
import { sample } from './sample.ts'

const off: SamplingParameters = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 11n }

const parameters = fc.record({
  temperature: fc.constantFrom(0, 0.3, 0.7, 1, 2),
  topK: fc.constantFrom(0, 1, 3, 8),
  topP: fc.constantFrom(1, 0.5, 0.9),
  minP: fc.constantFrom(0, 0.05, 0.3),
  repetitionPenalty: fc.constantFrom(1, 1.2),
  seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
})
const unpenalised = parameters.map((settings) => ({ ...settings, repetitionPenalty: 1 }))
const logits = fc
  .array(fc.integer({ min: -5000, max: 5000 }), { minLength: 2, maxLength: 16 })
  .map((values) => Float32Array.from(values, (value) => value / 1024))
const history = fc.array(fc.nat(15), { maxLength: 8 })

describe('drawMargin', () => {
  test('of the token that the sampler draws is 0, and of no other', () => {
    fc.assert(
      fc.property(logits, parameters, history, fc.nat(2048), (values, settings, ids, index) => {
        const { tokenId } = sample(values, settings, ids, index)
        expect(drawMargin(values, settings, ids, index, tokenId)).toEqual({ margin: 0, inKeptSet: true, edge: false })
        for (const other of values.keys()) {
          const { margin, inKeptSet } = drawMargin(values, settings, ids, index, other)
          if (other !== tokenId && inKeptSet) expect(margin).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })

  test('a draw from logits with noise in them is within the noise, or decided by an edge', () => {
    const noise = 1 / 128
    fc.assert(
      fc.property(
        logits,
        unpenalised,
        fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true })),
        (values, settings, stream) => {
          const noisy = values.map((value) => value + noise * stream.next().value!)
          const { tokenId } = sample(noisy, settings, [], 3)
          // Two logits move apart by at most twice the noise (a repetition penalty would stretch it).
          const { margin, inKeptSet, edge } = drawMargin(values, settings, [], 3, tokenId, 2.01 * noise)
          expect((inKeptSet && margin <= 2.01 * noise) || edge).toBe(true)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('is in logits whatever the temperature', () => {
    const values = Float32Array.from([4, 1])
    expect(drawMargin(values, { ...off, temperature: 0 }, [], 0, 1).margin).toBe(3)
    expect(drawMargin(values, { ...off, temperature: 1e-9 }, [], 0, 1).margin).toBeCloseTo(3, 6)
  })

  test('a token far outside what top_k keeps is no edge, one just outside is', () => {
    const values = Float32Array.from([5, 4.999, 1])
    const greedy = { ...off, temperature: 1e-6, topK: 1 }
    expect(drawMargin(values, greedy, [], 0, 1, 0.01)).toMatchObject({ inKeptSet: false, edge: true })
    expect(drawMargin(values, greedy, [], 0, 2, 0.01)).toMatchObject({ inKeptSet: false, edge: false })
  })

  test('a token that loses to one that an edge may have cut is an edge', () => {
    // Of these seeds, find a draw that token 2 wins while top_k = 3 keeps it only just.
    const values = Float32Array.from([1, 1, 0.5, 0.4999])
    const settings = { ...off, topK: 3 }
    const index = Array.from({ length: 64 }, (_, i) => i).find((i) => sample(values, settings, [], i).tokenId === 2)!
    const without = sample(values, { ...settings, topK: 2 }, [], index).tokenId
    expect(drawMargin(values, settings, [], index, without, 0.001)).toMatchObject({ inKeptSet: true, edge: true })
    expect(drawMargin(values, settings, [], index, without, 0.00001)).toMatchObject({ inKeptSet: true, edge: false })
  })

  test('a token outside the vocabulary is a RangeError', () => {
    expect(() => drawMargin(Float32Array.from([1, 2]), off, [], 0, 2)).toThrow(RangeError)
  })
})
