import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, type ReferenceModel, readGguf } from '@plumbline/reference'
import { beforeAll, describe, expect, test } from 'vitest'
import { alterRun } from '../../test/helpers/alter-run.ts'
import { ATTENTION_ROUNDINGS, uniformArithmetic } from '../arithmetic/arithmetic.ts'
import { NO_ROUNDING, Q8_BLOCKS, type Rounding } from '../arithmetic/rounding.ts'
import { type CompareOptions, compare } from '../comparison/compare.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import { parsePlanting } from '../oracle/planting.ts'
import { memoryRecording } from '../recording/memory-recording.ts'
import type { Checkpoint, RecordedRun, Slab } from '../recording/recording.ts'
import { measuredFloors } from './ladder.ts'
import { simulateNoise } from './simulated-noise.ts'

const PROMPT = [1, 403, 407, 261, 378, 432, 341, 293, 396, 411]
let model: ReferenceModel
let truth: RecordedRun
let eighth: RecordedRun
beforeAll(() => {
  model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  truth = recordOracle(model, PROMPT, { maxTokens: 4 }).run
  eighth = recordOracle(model, PROMPT, { maxTokens: 4, activations: 'Q8' }).run
})

const judged = (candidate: RecordedRun, options: CompareOptions = { model }, reference = truth) =>
  compare(memoryRecording([candidate]), memoryRecording([reference]), options)
const states = (run: RecordedRun, activations: string) => alterRun(run, { identity: { activations } })
const rounding = (changes: Partial<Rounding>) => uniformArithmetic({ ...Q8_BLOCKS, ...changes })
const record = (options: Parameters<typeof recordOracle>[2]) =>
  recordOracle(model, PROMPT, { maxTokens: 4, ...options }).run
const only = (run: RecordedRun, shown: RegExp) =>
  alterRun(run, { values: (name) => (shown.test(name) ? undefined : false) })
const LAYERS = /^(token_embd|blk\.\d+\.output|output_norm|logits)$/

describe('what a candidate states of its rounding', () => {
  test('is believed where its ops show it', () => {
    const { verdict, profile, profileReason } = judged(eighth)
    expect([verdict.exitCode, profile]).toEqual([0, 'quantised-activations'])
    expect(profileReason).toBe('the candidate has 8-bit inputs in blocks of 32, as its ops show')
    expect(verdict.line).toMatch(
      /; every op gives what its own inputs should, with 8-bit inputs in blocks of 32 and unrounded attention, to NMSE \de-1[2-6]/,
    )
  })

  test('is not where its ops round nothing: the finer profile judges', () => {
    const { verdict, profile, profileReason } = judged(states(truth, 'Q8'), { model }, record({}))
    expect([verdict.exitCode, profile]).toEqual([0, 'float32'])
    expect(profileReason).toBe('the candidate rounds nothing that its ops read, though it quantises activations (Q8)')
    const coarse = alterRun(states(truth, 'Q8'), {
      values: (name, values) => {
        if (name === 'blk.4.output') values[9]! *= 1 + 1e-4
        return undefined
      },
    })
    expect(judged(coarse).verdict.line).toMatch(/^DIVERGED first at blk.4.output .* from what its own inputs give/)
  })

  test('is needed to be judged so: a run that rounds and does not say it is told so', () => {
    const { verdict } = judged(states(eighth, 'F32'))
    expect(verdict.exitCode).toBe(1)
    expect(verdict.line).toMatch(/; the candidate has 8-bit inputs in blocks of 32, which it does not state$/)
  })

  test.each([
    ['cuts off in the place of rounding', rounding({ block: 0, round: (x) => Math.trunc(x * 64) / 64 })],
    ['has 5 bits', rounding({ step: (x) => ({ divide: Math.abs(x) / 15, multiply: Math.abs(x) / 15 }) })],
    ['reads all inputs a hundredth too small', uniformArithmetic({ ...NO_ROUNDING, round: (x) => x * 0.99 })],
  ])('excuses no engine that %s', (_, arithmetic) => {
    const { verdict, profile, divergence } = judged(states(record({ arithmetic }), 'Q8'))
    expect([verdict.exitCode, profile, divergence!.checkpoint]).toEqual([1, 'float32', 'blk.0.attn_q'])
  })

  test('of a rounding that is not known: ops are held to the noise of 8 bits, and the verdict says so', () => {
    const run = states(record({ arithmetic: rounding({ block: 24 }) }), 'Q8')
    const { verdict } = judged(run)
    expect([verdict.outcome, verdict.exitCode]).toEqual(['not-shown', 3])
    expect(verdict.line).toContain('accept it with --allow-weaker: every op')
    expect(verdict.line).toContain('inputs rounded in an unknown way')
    const planted = record({
      arithmetic: rounding({ block: 24 }),
      planting: parsePlanting('weight-row-shifted@2.ffn_up', model),
    })
    expect(judged(states(planted, 'Q8')).divergence).toMatchObject({ checkpoint: 'blk.2.ffn_up', origin: 'local' })
  })
})

describe('8-bit arithmetic that nobody replayed is not called the same', () => {
  test.each([
    ['logits alone', /^logits$/, true, 'record `ops`, or', 'ops within the layers were not recorded'],
    ['logits without the model', /^logits$/, false, 'record `ops` and give --model, or', 'no op was replayed'],
    ['layers', LAYERS, true, 'record `ops`, or', 'every layer gives what its own inputs should'],
    ['ops without the model', /./, false, '; give --model, or', 'no op was replayed without the model'],
  ])('%s', (_, shown, withModel, advice, words) => {
    const options = withModel ? { model } : {}
    const { verdict } = judged(only(eighth, shown), options)
    expect([verdict.outcome, verdict.exitCode]).toEqual(['not-shown', 3])
    expect(verdict.line).toMatch(
      /^NOT SHOWN TO BE THE SAME: within what honest 8-bit runs differ, but a mistake of less than \S+ % of \S+ \(NMSE \S+\) would look the same; /,
    )
    expect(verdict.line).toContain(`${advice} accept it with --allow-weaker: `)
    expect(verdict.line).toContain(words)
    expect(verdict.blindBelow).toBeGreaterThan(1e-5)
    const allowed = judged(only(eighth, shown), { ...options, allowWeaker: true }).verdict
    expect([allowed.outcome, allowed.exitCode]).toEqual(['not-shown', 0])
    expect(allowed.line).toMatch(/^SAME WITHIN quantised-activations NOISE: .*; weaker: .* would look the same/)
  })

  test('a part of it is no more, though a part is allowed', () => {
    const part = alterRun(only(eighth, /^logits$/), { values: (_, __, { pos }) => (pos === 0 ? false : undefined) })
    const verdictOf = (options: CompareOptions) => judged(part, { model, allowPartial: true, ...options }).verdict
    expect(verdictOf({})).toMatchObject({ outcome: 'partial', exitCode: 3 })
    expect(verdictOf({ allowWeaker: true })).toMatchObject({ outcome: 'partial', exitCode: 0 })
  })

  test('the first ten values of each row are told apart from another model', () => {
    const firstTen = ([name, checkpoint]: [string, Checkpoint]): [string, Checkpoint] => {
      const { width, slabCount } = checkpoint
      const slab = (index: number): Slab => {
        const whole = checkpoint.slab(index)
        const read = (first = 0, rows = whole.count - first) =>
          Float64Array.from({ length: 10 * rows }, (_, i) => whole.read(first)[Math.floor(i / 10) * width + (i % 10)]!)
        return { ...whole, coverage: { kind: 'prefix', perRow: 10 }, read }
      }
      return [name, name === 'logits' ? checkpoint : { name, width: 0, slabCount, slab }]
    }
    const { id, identity } = eighth
    const other = alterRun(eighth, {
      values: (_, values) => void values.set(values.map((value) => value * (1 + 1e-6))),
    })
    const ten = { id, identity, checkpoints: new Map([...eighth.checkpoints].map(firstTen)) }
    const { verdict } = judged(ten, { model }, other)
    expect(verdict.exitCode).toBe(3)
    expect(verdict.line).toContain('only a part of the values of ops was recorded')
    expect(verdict.line).toContain('record whole rows of `ops`')
    expect(verdict.line).not.toContain('another one')
  })

  test('F16 attention likewise', () => {
    const half = states(record({ arithmetic: uniformArithmetic(NO_ROUNDING, ATTENTION_ROUNDINGS.at(-1)) }), 'F16')
    const { verdict } = judged(only(half, /^logits$/), {})
    expect(verdict.exitCode).toBe(3)
    expect(verdict.line).toContain('within what honest F16 runs differ')
    expect(judged(half).verdict.exitCode).toBe(0)
  })

  test('the same bits are the same bits', () => {
    expect(judged(eighth, {}, eighth).verdict).toMatchObject({ outcome: 'same', exitCode: 0 })
  })

  test('float32 needs no more than the values', () => {
    expect(judged(states(truth, 'F32'), { model }, record({})).verdict.line).not.toMatch(/weaker|own inputs/)
  })

  test('a model of no size that was measured has the most noise of any, unless it can show its own', () => {
    const logits = only(eighth, /^logits$/)
    const strange = alterRun(only(truth, /^logits$/), { identity: { embeddingLength: undefined, layers: undefined } })
    expect(judged(logits, {}, strange).verdict.line).toContain('no model of this size was measured')
    const { nmse } = simulateNoise(model, PROMPT)
    const measured = measuredFloors('quantised-activations', '5x64')!
    expect(nmse.logits!.at(-1)).toBeGreaterThan(measured.nmse.logits!.at(-1)! / 10)
    expect(nmse.logits!.at(-1)).toBeLessThan(measured.nmse.logits!.at(-1)! * 4)
  })
})

describe('an op that is wrong is found', () => {
  const planted = (mistake: string) => record({ activations: 'Q8', planting: parsePlanting(mistake, model) })

  test('in what the reference does not hold', () => {
    const { divergence, verdict } = judged(planted('gelu-for-silu@3'), { model }, only(truth, /^logits$/))
    expect(verdict.exitCode).toBe(1)
    expect(divergence).toMatchObject({ checkpoint: 'blk.3.ffn_act', origin: 'local', side: 'candidate' })
  })

  test('behind what the candidate does not show: at the first checkpoint after it', () => {
    const candidate = only(planted('attention-scale-doubled@2'), /^(?!.*(attn_kqv|attn_q_rope|attn_k_rope))/)
    expect(judged(candidate).divergence).toMatchObject({ checkpoint: 'blk.2.attn_output', origin: 'local' })
  })

  test('within a layer of which only the output was recorded', () => {
    expect(judged(only(planted('norm-plus-one@2'), LAYERS)).divergence).toMatchObject({
      checkpoint: 'blk.2.output',
      origin: 'local',
    })
  })

  test('whatever the noise of the reference', () => {
    const { divergence } = judged(planted('rope-offset@1'), { model }, eighth)
    expect(divergence).toMatchObject({ checkpoint: 'blk.1.attn_q_rope', side: 'candidate' })
  })
})
