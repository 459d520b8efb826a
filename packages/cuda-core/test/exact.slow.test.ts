import { asset, describeWithAssets } from '@plumbline/protocol/testing'
import { describe } from 'vitest'
import { holdAgainstTransformers } from './hold-against-transformers.ts'

const MODEL = 'smollm2-135m-instruct-q4_1'

// Layer outputs, output_norm, the last position's logits and the top 64 of every position.
describeWithAssets(describe, `exact: ${MODEL} against Transformers in float64`, () => {
  holdAgainstTransformers(
    () => asset(`models/${MODEL}.gguf`),
    () => asset(`reference/transformers/${MODEL}`),
    34,
  )
})
