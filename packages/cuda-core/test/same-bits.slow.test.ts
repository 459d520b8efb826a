import { asset, describeWithAssets } from '@plumbline/protocol/testing'
import { describe } from 'vitest'
import { expectSameBits } from './same-bits.ts'
import { longestPrompt } from './transformers-reference.ts'

describe.each(['stories15M-q8_0', 'smollm2-135m-instruct-q4_1'])('exact gives the same bits: %s', (name) => {
  describeWithAssets(describe, 'on the longest recorded prompt', () => {
    expectSameBits(
      () => asset(`models/${name}.gguf`),
      () => longestPrompt(asset(`reference/transformers/${name}`)),
    )
  })
})
