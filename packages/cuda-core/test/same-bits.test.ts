import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { describe } from 'vitest'
import { expectSameBits } from './same-bits.ts'
import { longestPrompt } from './transformers-reference.ts'

describe('exact gives the same bits: stories260K', () => {
  expectSameBits(
    () => committedAsset('stories260K/stories260K-f32.gguf'),
    // Longer than a chunk of 64, and than a block of the attention's sums.
    () => [
      ...longestPrompt(committedAsset('stories260K/transformers')),
      ...Array.from({ length: 30 }, (_, i) => 400 + i),
    ],
  )
})

describe.each(['random-qwen2-q4_k_m', 'random-llama-q6_k'])('exact gives the same bits: %s', (name) => {
  describeWithAssets(describe, 'on the longest recorded prompt', () => {
    expectSameBits(
      () => asset(`models/${name}.gguf`),
      () => longestPrompt(asset(`reference/transformers/${name}`)),
    )
  })
})
