import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { describe } from 'vitest'
import { holdAgainstTransformers } from './hold-against-transformers.ts'

describe('exact: stories260K against Transformers in float64', () => {
  holdAgainstTransformers(
    () => committedAsset('stories260K/stories260K-f32.gguf'),
    () => committedAsset('stories260K/transformers'),
    78,
  )
})

describe.each([
  ['stories15M-q8_0', 93],
  ['random-qwen2-q4_k_m', 48],
  ['random-llama-q6_k', 48],
] as const)('exact: %s', (name, checkpoints) => {
  describeWithAssets(describe, 'against Transformers in float64', () => {
    holdAgainstTransformers(
      () => asset(`models/${name}.gguf`),
      () => asset(`reference/transformers/${name}`),
      checkpoints,
    )
  })
})
