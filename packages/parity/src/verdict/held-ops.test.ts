import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, type ReferenceModel, readGguf } from '@plumbline/reference'
import { beforeAll, describe, expect, test } from 'vitest'
import { alterRun } from '../../test/helpers/alter-run.ts'
import { uniformArithmetic } from '../arithmetic/arithmetic.ts'
import { NO_ROUNDING } from '../arithmetic/rounding.ts'
import { compare } from '../comparison/compare.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import { parsePlanting } from '../oracle/planting.ts'
import { memoryRecording } from '../recording/memory-recording.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { holdOps } from './held-ops.ts'
import { firstFault } from './local-replay.ts'

const PROMPT = [1, 403, 407, 261, 378, 432, 341, 293]
const PATH = committedAsset('stories260K/stories260K-f32.gguf')
let model: ReferenceModel
let truth: RecordedRun
beforeAll(() => {
  model = loadModel(readGguf(PATH))
  truth = recordOracle(model, PROMPT, { maxTokens: 3 }).run
})

const record = (options: Parameters<typeof recordOracle>[2]) =>
  recordOracle(model, PROMPT, { maxTokens: 3, ...options }).run
const wrongly = (mistake: string, activations: 'F64' | 'Q8' = 'F64') =>
  record({ planting: parsePlanting(mistake, model), activations })
/** As another float32 engine has it: off by the last bit, or so. */
const stored = (run: RecordedRun) =>
  alterRun(run, {
    values: (_, values) => {
      for (const [i, value] of values.entries()) values[i] = Math.fround(value * (1 + 2 ** -23 * Math.sin(i)))
      return undefined
    },
  })
const judged = (candidate: RecordedRun, reference: RecordedRun) =>
  compare(memoryRecording([candidate]), memoryRecording([reference]), { model })

describe('the same mistake on both sides, which their values cannot show, is found by the model', () => {
  test.each([
    ['an RMS norm epsilon that is another', 'norm-epsilon@0.attn_norm', 'blk.0.attn_norm'],
    ['a softmax scale', 'attention-scale-missing@2', 'blk.2.attn_kqv'],
    ['GELU for SiLU, while decoding', 'gelu-for-silu@4:decode', 'blk.4.ffn_act'],
  ])('%s', (_, mistake, checkpoint) => {
    const { verdict, divergence } = judged(stored(wrongly(mistake)), wrongly(mistake))
    expect([verdict.outcome, verdict.exitCode]).toEqual(['untrusted', 4])
    expect(divergence).toMatchObject({ checkpoint, origin: 'local', side: 'both' })
    expect(divergence!.cause!.mistake).toBe(mistake.split('@')[0])
    expect(verdict.line).toContain(
      `UNTRUSTED CANDIDATE AND REFERENCE: both part from the model file alike, first at ${checkpoint}`,
    )
    expect(verdict.line).toContain('from what their own inputs give')
    expect(verdict.line).toContain('cause: ')
  })

  test('where one side, or either, rounds to 8 bits', () => {
    const [mistake, activations] = ['norm-plus-one@3.ffn_norm', { identity: { activations: 'Q8' } }] as const
    const eighth = alterRun(wrongly(mistake, 'Q8'), activations)
    for (const reference of [eighth, wrongly(mistake)]) {
      const { verdict, divergence } = judged(eighth, reference)
      expect([verdict.exitCode, divergence]).toEqual([
        4,
        expect.objectContaining({ checkpoint: 'blk.3.ffn_norm', side: 'both' }),
      ])
    }
  })

  test('not so in what only the candidate holds: then it alone is wrong', () => {
    const layers = alterRun(truth, { values: (name) => (/output$|token_embd|logits/.test(name) ? undefined : false) })
    const wrong = alterRun(truth, {
      values: (name, values) => {
        if (name === 'blk.2.ffn_act') values[9]! += 0.01
        return undefined
      },
    })
    const { verdict, divergence } = judged(wrong, layers)
    expect([verdict.exitCode, divergence]).toEqual([
      1,
      expect.objectContaining({ checkpoint: 'blk.2.ffn_act', side: 'candidate' }),
    ])
  })
})

describe('honest sides are trusted', () => {
  test('in float32', () => {
    const { verdict, unchecked } = judged(stored(truth), truth)
    expect([verdict.outcome, verdict.exitCode]).toEqual(['within-tolerance', 0])
    expect(unchecked.filter((what) => /'s ops/.test(what))).toEqual([])
  })

  test('that multiplied other weights than those of the file, which had to be rounded: it is said', () => {
    const finer = loadModel(readGguf(PATH))
    for (const layer of finer.weights.layers) {
      for (const { weight } of [layer.attnQ, layer.attnK, layer.attnV, layer.attnOutput, layer.ffnUp, layer.ffnDown]) {
        for (let i = 0; i < weight.length; i++) weight[i]! *= 1 + 0.01 * Math.sin(i)
      }
    }
    const { run } = recordOracle(finer, PROMPT, { maxTokens: 3 })
    const { verdict, unchecked } = judged(stored(run), run)
    expect(verdict.exitCode).toBe(0)
    expect(unchecked).toContainEqual(expect.stringMatching(/^the candidate's ops with F32 weights: .* may be hidden$/))
  })

  test('that both round in a way that nobody knows and do not say so', () => {
    const round = (value: number) => Math.round(value * 2 ** 12) / 2 ** 12
    const run = record({ arithmetic: uniformArithmetic({ ...NO_ROUNDING, round }) })
    expect(judged(stored(run), run).verdict.exitCode).toBe(0)
  })
})

describe('what is too large to be held to the model is left out by name', () => {
  test('of many positions some are looked at, then the largest ops are left out', () => {
    const all = holdOps(truth, model)
    expect(all.unchecked).toEqual([])
    const some = holdOps(truth, model, 2 ** 20)
    expect(some.unchecked[0]).toBe('ops at 7 of 10 positions, since there are so many')
    const few = holdOps(truth, model, 2 ** 17)
    expect(few.unchecked.at(-1)).toMatch(/^blk\.\d\.\S+, .* and \d+ more: the model is too large for it$/)
    for (const { replayed } of [some, few]) expect(firstFault(replayed)).toBeUndefined()
  })

  test('layers alone are not replayed, and that is said', () => {
    const layers = alterRun(truth, { values: (name) => (/output$|token_embd|logits/.test(name) ? undefined : false) })
    const { unchecked } = holdOps(layers, model)
    expect(unchecked).toEqual([
      'ops: none within the layers was recorded with its inputs, so a mistake of both sides may be hidden',
    ])
  })
})
