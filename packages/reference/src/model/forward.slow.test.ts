import { asset, describeWithAssets } from '@plumbline/protocol/testing'
import { beforeAll, describe, expect, test } from 'vitest'
import { checkpointErrors, continueGreedily, transformersPrompts } from '../../test/transformers-reference.ts'
import { readGguf } from '../gguf/read-gguf.ts'
import { nmse } from '../nmse.ts'
import { loadModel, type ReferenceModel } from './load-model.ts'

const BOUND = 1e-13

describeWithAssets(describe, 'SmolLM2-135M-Instruct Q4_1 against Transformers in float64', () => {
  let model: ReferenceModel
  beforeAll(() => {
    model = loadModel(readGguf(asset('models/smollm2-135m-instruct-q4_1.gguf')))
  })
  const prompts = () => transformersPrompts(asset('reference/transformers/smollm2-135m-instruct-q4_1'))

  test.each([0, 1, 2])(`layer outputs of prompt %i, NMSE <= ${BOUND}`, (index) => {
    const errors = checkpointErrors(model, prompts()[index]!)
    expect(errors.size).toBe(32)
    expect([...errors].filter(([, error]) => !(error <= BOUND))).toEqual([])
  })

  test.each([0, 1, 2])(`all logits of the last position and the recorded 64 of each, prompt %i`, (index) => {
    const { ids, tensors } = prompts()[index]!
    const logits = model.forward(ids)
    expect(nmse(logits.at(-1)!, tensors.get('logits_last')!.values as Float32Array)).toBeLessThanOrEqual(BOUND)
    const topIds = tensors.get('logits_top_ids')!.values as Int32Array
    const topValues = tensors.get('logits_top_values')!.values as Float32Array
    const ours = Array.from(topIds, (id, i) => logits[Math.floor(i / 64)]![id]!)
    expect(nmse(ours, topValues)).toBeLessThanOrEqual(BOUND)
  })

  test.each([0, 1, 2])('the greedy continuation of prompt %i', (index) => {
    const { ids, greedy } = prompts()[index]!
    expect(continueGreedily(model, ids, greedy.length).tokens).toEqual(greedy)
  })
})
