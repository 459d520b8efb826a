import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, type ReferenceModel, readGguf } from '@plumbline/reference'
import { beforeAll, describe, expect, it } from 'vitest'
import { alterRun } from '../../test/helpers/alter-run.ts'
import { compare } from '../comparison/compare.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import { parsePlanting } from '../oracle/planting.ts'
import { memoryRecording } from '../recording/memory-recording.ts'
import type { RecordedRun } from '../recording/recording.ts'

const PROMPT = [1, 403, 407, 261, 378]
let model: ReferenceModel
let truth: RecordedRun
beforeAll(() => {
  model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  truth = recordOracle(model, PROMPT).run
})

const judged = (candidate: RecordedRun, reference: RecordedRun, given: ReferenceModel | undefined = model) =>
  compare(memoryRecording([candidate]), memoryRecording([reference]), given && { model: given })

const onlyWith = (run: RecordedRun, shows: RegExp): RecordedRun => ({
  ...run,
  id: run.id,
  identity: run.identity,
  checkpoints: new Map([...run.checkpoints].filter(([name]) => shows.test(name))),
})

/** Noise, another one for each value. */
function noise(values: Float64Array | Float32Array, salt: number): void {
  for (let i = 0; i < values.length; i++) {
    const x = Math.sin(12.9898 * (i + 1) + 78.233 * salt) * 43758.5453
    values[i] = 2 * (x - Math.floor(x)) - 1
  }
}

const LOGITS = /^logits$/
const LAYERS = /^(token_embd|blk\.\d+\.output|output_norm|logits)$/

describe('two sides that agree in rubbish are untrusted', () => {
  it.each([
    ['logits of noise', LOGITS, /logits at position 0: it is not what the model gives for the prompt/],
    [
      'layers of noise',
      LAYERS,
      /both part from the model file alike, first at token_embd \(token embedding\), token 0/,
    ],
  ])('%s', (_, shows, words) => {
    const rubbish = alterRun(onlyWith(truth, shows), {
      values: (name, values, { pos }) => {
        noise(values, name.length + 3 * Number(/\d+/.exec(name)?.[0] ?? 40) + 7 * pos)
        return undefined
      },
    })
    const { verdict } = judged(rubbish, rubbish)
    expect([verdict.exitCode, verdict.line]).toEqual([4, expect.stringMatching(/^UNTRUSTED CANDIDATE AND REFERENCE/)])
    expect(verdict.line).toMatch(words)
  })

  it('logits that are reversed beside the right output_norm', () => {
    const reversed = alterRun(truth, {
      values: (name, values) => {
        if (name === 'logits') values.reverse()
        return undefined
      },
    })
    const { verdict } = judged(reversed, reversed)
    expect(verdict.exitCode).toBe(4)
    expect(verdict.line).toContain('both part from the model file alike, first at logits (logits), token 0')
  })

  it('RoPE that pairs the wrong halves on both', () => {
    const wrong = recordOracle(model, PROMPT, { planting: parsePlanting('rope-pairing@1', model) }).run
    const { verdict } = judged(wrong, wrong)
    expect(verdict.exitCode).toBe(4)
    expect(verdict.line).toMatch(
      /alike, first at blk\.1\.attn_q_rope .*; cause: blk\.1\.attn_q_rope rotates the wrong pairs/,
    )
  })

  it('logits of size 1e-20, without a model', () => {
    const faint = alterRun(onlyWith(truth, LOGITS), {
      values: (_, values) => {
        for (let i = 0; i < values.length; i++) values[i]! *= 1e-20
        return undefined
      },
    })
    const { verdict } = compare(memoryRecording([faint]), memoryRecording([faint]))
    expect(verdict.exitCode).toBe(4)
    expect(verdict.line).toMatch(/logits at position 0: values of size \S+e-20 are too small for any forward pass/)
  })
})

describe('an honest pair is trusted', () => {
  it.each([
    ['of every op', /./],
    ['of layers', LAYERS],
    ['of logits', LOGITS],
    ['of a part', /^blk\.[13]\.(attn_q_rope|ffn_act|ffn_down)$/],
  ])('%s, in 8-bit arithmetic or none', (_, shows) => {
    const rounded = recordOracle(model, PROMPT, { activations: 'Q8' }).run
    for (const run of [truth, rounded]) {
      const honest = onlyWith(run, shows)
      const { candidate, reference } = judged(honest, honest)
      expect([candidate.unfit, reference.unfit]).toEqual([[], []])
    }
  })

  it('whose queries and keys are both in halves', () => {
    const halved = alterRun(truth, {
      identity: { ropeOrder: 'halves' },
      values: (name, values) => {
        if (!/attn_[qk](_rope)?$/.test(name)) return undefined
        const each = model.config.keyLength
        const neighbours = values.slice()
        for (let i = 0; i < values.length; i++) {
          const at = i % each
          values[i] = neighbours[i - at + (at < each / 2 ? 2 * at : 2 * at - each + 1)]!
        }
        return undefined
      },
    })
    const { verdict, candidate } = judged(halved, halved)
    expect([verdict.exitCode, candidate.unfit]).toEqual([0, []])
  })

  it('stays diverged, not untrusted, where only the candidate is wrong', () => {
    const wrong = recordOracle(model, PROMPT, { planting: parsePlanting('rope-pairing@1', model) }).run
    expect(judged(wrong, truth).verdict.line).toMatch(/^DIVERGED first at blk.1.attn_q_rope/)
  })
})
