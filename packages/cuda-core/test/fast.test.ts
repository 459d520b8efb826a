import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { cpuVariants, evaluate } from '../src/testing.ts'
import { errorsOf, type Prompt, readPrompts } from './transformers-reference.ts'

/**
 * How far `fast` is from Transformers in float64. The bound is llama.cpp's own distance on the same prompts: NMSE of the logits, mean of
 * prompts 0, 1 and 2 (reference/README.md of the test assets). With float32 weights nothing is quantised, and `exact`'s bound holds.
 */
const LLAMA_CPP = {
  'stories15M-q8_0': (5.9e-4 + 1.2e-4 + 7.0e-5) / 3,
  'smollm2-135m-instruct-q4_1': (7.5e-5 + 1.1e-3 + 1.0e-3) / 3,
  'random-qwen2-q4_k_m': (2.2e-3 + 5.1e-3 + 3.9e-3) / 3,
  'random-llama-q6_k': (6.0e-3 + 5.0e-3 + 4.1e-3) / 3,
}

/** Where two logits have an error each, their order can be trusted beyond so many times the errors' root mean square. */
const TRUSTED_GAP = 6

const variants = cpuVariants()

/** Mean over the prompts of the logits' NMSE. */
function distance(modelPath: string, prompts: readonly Prompt[], variant: string): number {
  const errors = prompts.map((prompt) => {
    const all = errorsOf(modelPath, prompt, { precision: 'fast', variant })
    return (all.get('logits') ?? all.get('logits_last'))!
  })
  return errors.reduce((a, b) => a + b, 0) / errors.length
}

/** The gaps, in the recording, of the steps at which our likeliest token is another one, the recorded answer being given. */
function gapsParted(
  modelPath: string,
  { ids, greedy, greedy_top1_top2_gap: gaps }: Prompt,
): { gaps: number[]; rms: number } {
  const tokenIds = Uint32Array.from([...ids, ...greedy])
  const { logits, vocabSize } = evaluate({ modelPath, tokenIds, precision: 'fast', threads: 2 })
  const row = (step: number) => logits.subarray((ids.length - 1 + step) * vocabSize, (ids.length + step) * vocabSize)
  const parted = greedy.flatMap((token, step) => {
    const values = row(step)
    const likeliest = values.reduce((best, value, id) => (value > values[best]! ? id : best), 0)
    return likeliest === token ? [] : [gaps[step]!]
  })
  const all = logits.subarray((ids.length - 1) * vocabSize)
  return { gaps: parted, rms: Math.sqrt(all.reduce((sum, x) => sum + x ** 2, 0) / all.length) }
}

test.each(variants)('fast: stories260K, whose weights are float32, with %s kernels', (variant) => {
  const model = committedAsset('stories260K/stories260K-f32.gguf')
  expect(distance(model, readPrompts(committedAsset('stories260K/transformers')), variant)).toBeLessThan(1e-10)
})

describe.each(Object.entries(LLAMA_CPP))('fast: %s', (name, bound) => {
  describeWithAssets(describe, 'against Transformers in float64', () => {
    const model = () => asset(`models/${name}.gguf`)
    const prompts = () => readPrompts(asset(`reference/transformers/${name}`)).slice(0, 3)

    test.each(variants)(`logits with %s kernels: mean NMSE <= llama.cpp's, ${bound.toExponential(1)}`, (variant) => {
      expect(distance(model(), prompts(), variant)).toBeLessThanOrEqual(bound)
    })

    test('greedy continuations part from the recorded ones only where the gap is small against that distance', () => {
      for (const prompt of prompts()) {
        const { gaps, rms } = gapsParted(model(), prompt)
        expect(Math.max(0, ...gaps)).toBeLessThanOrEqual(TRUSTED_GAP * rms * Math.sqrt(bound))
      }
    })
  })
})
