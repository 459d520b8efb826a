import { checkpointNames } from '@plumbline/protocol'
import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, nmse, type ReferenceModel, readGguf } from '@plumbline/reference'
import { beforeAll, describe, expect, it } from 'vitest'
import { attentionWith } from '../graph/attention-with.ts'
import { graphNode } from '../graph/graph.ts'
import { OpSite } from '../graph/op-site.ts'
import { RecordedValues, recordedRows } from '../graph/recorded-values.ts'
import { MISTAKES } from '../mistakes/catalogue.ts'
import { erf } from '../mistakes/feed-forward.ts'
import { recordOracle } from './memory-oracle.ts'
import { parsePlanting } from './planting.ts'

const PROMPT = [1, 403, 407, 261, 378, 432, 341, 293, 396]
let model: ReferenceModel
beforeAll(() => {
  model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
})

describe('the graph', () => {
  it('replays every checkpoint from its recorded inputs, to what float32 storage loses', () => {
    const { run } = recordOracle(model, PROMPT, { maxTokens: 4 })
    const source = new RecordedValues(run, model)
    for (const name of checkpointNames(model.config.layers)) {
      for (const [first, count] of [
        [0, PROMPT.length],
        [PROMPT.length + 1, 1],
      ] as const) {
        const replayed = new OpSite(source, graphNode(name, model.config.layers)!, first, count).right()
        expect(nmse(recordedRows(run, name, first, count)!, replayed), name).toBeLessThan(1e-13)
      }
    }
  })

  it('replays through what was not recorded, but not across a layer', () => {
    const { run } = recordOracle(model, PROMPT)
    const source = new RecordedValues(run, model, (name) => name.endsWith('.output'))
    const rows = source.rows('blk.2.ffn_act', 3, 2)
    expect(nmse(recordedRows(run, 'blk.2.ffn_act', 3, 2)!, rows)).toBeLessThan(1e-12)
    const blind = new RecordedValues(run, model, () => false)
    expect(() => blind.rows('blk.2.ffn_act', 3, 2)).toThrow('blk.1.output')
  })

  it('knows no checkpoint that the model has not', () => {
    for (const name of ['blk.5.output', 'blk.0.nothing', 'blk.0.toString', 'token_embd.weight', '']) {
      expect(graphNode(name, 5), name).toBeUndefined()
    }
  })
})

describe('the catalogue', () => {
  it('holds at least 40 kinds, each with a name of its own', () => {
    expect(new Set(MISTAKES.map(({ name }) => name)).size).toBe(MISTAKES.length)
    expect(MISTAKES.length).toBeGreaterThanOrEqual(40)
  })

  it('begins with the right attention, where nothing is changed', () => {
    const { run } = recordOracle(model, PROMPT)
    const site = new OpSite(new RecordedValues(run, model), graphNode('blk.3.attn_kqv', 5)!, 2, 5)
    expect(nmse(attentionWith(site, {}), site.right())).toBeLessThan(1e-28)
  })

  // As glibc computes them.
  it.each([
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [-1, -0.8427007929497149],
    [2.4, 0.9993114861033549],
    [3, 0.9999779095030014],
    [0, 0],
  ])('erf(%f)', (x, expected) => {
    expect(Math.abs(erf(x) - expected)).toBeLessThan(1e-15)
  })
})

describe('a mistake', () => {
  it('begins where and when it was planted, and flows on from there', () => {
    const right = recordOracle(model, PROMPT, { maxTokens: 3 }).run
    const forcedTokenIds = right.identity.generatedTokenIds!
    const planting = parsePlanting('rope-pairing@2:decode', model)
    const { run, result } = recordOracle(model, PROMPT, { maxTokens: 3, forcedTokenIds, planting })
    expect(result.planted!.sites).toBe(2)
    const names = checkpointNames(model.config.layers)
    const same = (name: string, first: number, count: number) =>
      nmse(recordedRows(run, name, first, count)!, recordedRows(right, name, first, count)!) === 0
    for (const name of names) expect(same(name, 0, PROMPT.length), name).toBe(true)
    const position = PROMPT.length
    expect(names.find((name) => !same(name, position, 1))).toBe('blk.2.attn_q_rope')
    expect(same('blk.2.attn_k_rope', position, 1)).toBe(true)
    expect(same('blk.2.attn_output', position, 1)).toBe(false)
    expect(same('logits', position, 1)).toBe(false)
  })

  it.each([
    ['rope-pears', 'choose from double-bos'],
    ['rope-pairing@9', 'layers 0 to 4'],
    ['rope-pairing:later', 'prefill or decode'],
    ['rope-pairing@1.ffn_norm', 'befalls attn_q_rope, attn_k_rope'],
    ['double-bos@1', 'befalls no layer'],
    ['norm-missing@1.output_norm', 'in no layer'],
    ['norm-missing=2', 'takes no value'],
    ['rope-base=big@1', 'the value must be a number'],
    ['rope-base=', 'the value must be a number'],
  ])('%s is refused: %s', (text, message) => {
    expect(() => parsePlanting(text, model)).toThrow(message)
  })

  it('has the value that it is given', () => {
    const { run } = recordOracle(model, PROMPT, { planting: parsePlanting('rope-base=40000@2.attn_k_rope', model) })
    const [before, after] = ['blk.2.attn_k', 'blk.2.attn_k_rope'].map((name) => recordedRows(run, name, 3, 1)!)
    // Pair 1 of 4 of the first head, at position 3.
    const angle = Math.atan2(after![3]!, after![2]!) - Math.atan2(before![3]!, before![2]!)
    expect(Math.cos(angle - 3 * 40_000 ** -0.25)).toBeCloseTo(1, 10)
    expect(Math.cos(angle - 3 * 10_000 ** -0.25)).not.toBeCloseTo(1, 3)
  })

  it('is refused where there is nothing to get wrong', () => {
    const planting = parsePlanting('bias-missing', model)
    expect(() => recordOracle(model, PROMPT, { planting })).toThrow('nothing of the kind')
  })

  it.each([
    ['rope-base=10000', PROMPT],
    // Position 0 is not rotated, whatever the base.
    ['rope-base=40000', [1]],
    ['rope-offset=0@2', PROMPT],
    ['rope-offset@2:decode', PROMPT],
  ])('is refused where it writes a right run: %s', (mistake, prompt) => {
    const planting = parsePlanting(mistake, model)
    expect(() => recordOracle(model, prompt, { planting })).toThrow(/^rope-.* changes nothing at /)
  })
})
