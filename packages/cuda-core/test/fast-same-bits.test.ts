import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { cpuVariants, evaluate } from '../src/testing.ts'
import { longestPrompt } from './transformers-reference.ts'

/** Neither threads nor chunks nor being looked at change a bit of `fast`, nor do the variants of the kernels: what one fuses, all round once. */
function expectSameBits(modelPath: () => string, tokenIds: () => number[]): void {
  const run = (variant: string, threads: number, chunk: number, checkpoints: boolean) => {
    const options = { modelPath: modelPath(), tokenIds: Uint32Array.from(tokenIds()), precision: 'fast' } as const
    const { logits } = evaluate({ ...options, variant, threads, chunk, checkpoints })
    return new Uint32Array(logits.buffer, logits.byteOffset, logits.length)
  }
  test.each(cpuVariants())('%s: 1, 2 and 4 threads, chunks of 1, 7, 64 and all, looked at or not', (variant) => {
    const expected = run(cpuVariants().at(-1)!, 1, 2 ** 20, false)
    expect(run(variant, 1, 2 ** 20, false)).toEqual(expected)
    for (const threads of [1, 2, 4]) {
      for (const chunk of [1, 7, 64]) expect(run(variant, threads, chunk, false)).toEqual(expected)
    }
    expect(run(variant, 2, 7, true)).toEqual(expected)
  })
}

describe('fast gives the same bits: stories260K', () => {
  expectSameBits(
    () => committedAsset('stories260K/stories260K-f32.gguf'),
    // Longer than a block of the attention's positions.
    () => [
      ...longestPrompt(committedAsset('stories260K/transformers')),
      ...Array.from({ length: 60 }, (_, i) => 400 + i),
    ],
  )
})

describe.each(['stories15M-q8_0', 'random-qwen2-q4_k_m', 'random-llama-q6_k'])(
  'fast gives the same bits: %s',
  (name) => {
    describeWithAssets(describe, 'on the longest recorded prompt', () => {
      expectSameBits(
        () => asset(`models/${name}.gguf`),
        () => longestPrompt(asset(`reference/transformers/${name}`)),
      )
    })
  },
)
