import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { beforeAll, describe, expect, test } from 'vitest'
import { checkpointErrors, continueGreedily, transformersPrompts } from '../../test/transformers-reference.ts'
import { readGguf } from '../gguf/read-gguf.ts'
import { loadModel, type ReferenceModel } from './load-model.ts'

/**
 * The references are float64, stored as float32, which alone is 1e-15: 1e-13 leaves room for another order of summation and for
 * nothing else.
 */
const BOUND = 1e-13

function holdAgainstTransformers(modelPath: () => string, folder: () => string, checkpoints: number) {
  let model: ReferenceModel
  beforeAll(() => {
    model = loadModel(readGguf(modelPath()))
  })

  test.each([0, 1, 2])(`every checkpoint of prompt %i, NMSE <= ${BOUND}`, (index) => {
    const errors = checkpointErrors(model, transformersPrompts(folder())[index]!)
    expect(errors.size).toBe(checkpoints)
    const tooFar = [...errors].filter(([, error]) => !(error <= BOUND))
    expect(tooFar).toEqual([])
  })

  test.each([0, 1, 2])('the greedy continuation of prompt %i, and its gaps', (index) => {
    const prompt = transformersPrompts(folder())[index]!
    const { tokens, gaps } = continueGreedily(model, prompt.ids, prompt.greedy.length)
    expect(tokens).toEqual(prompt.greedy)
    // Recorded with six decimals.
    for (const [step, gap] of gaps.entries()) expect(gap).toBeCloseTo(prompt.greedy_top1_top2_gap[step]!, 5)
  })
}

describe('stories260K against Transformers in float64', () => {
  const path = () => committedAsset('stories260K/stories260K-f32.gguf')
  holdAgainstTransformers(path, () => committedAsset('stories260K/transformers'), 78)
})

describe.each([
  ['stories15M-q8_0', 93],
  ['random-qwen2-q4_k_m', 48],
  ['random-llama-q6_k', 48],
] as const)('%s', (name, checkpoints) => {
  describeWithAssets(describe, 'against Transformers in float64', () => {
    holdAgainstTransformers(
      () => asset(`models/${name}.gguf`),
      () => asset(`reference/transformers/${name}`),
      checkpoints,
    )
  })
})
