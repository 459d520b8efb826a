import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, loadTokenizer, type ReferenceModel, readGguf, type Tokenizer } from '@plumbline/reference'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Alterations, alterRun } from '../../test/helpers/alter-run.ts'
import { inHalves, ROTATED } from '../../test/helpers/in-halves.ts'
import { against } from '../../test/helpers/truth.ts'
import { compare, compareRecordings } from '../comparison/compare.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import { MemoryRun, memoryRecording } from '../recording/memory-recording.ts'
import type { Checkpoint, RecordedRun, Slab } from '../recording/recording.ts'
import { sideBySide } from './token-ids.ts'

const PROMPT = [1, 403, 407, 261, 378]
const HASH = 'a'.repeat(64)
let model: ReferenceModel
let tokenizer: Tokenizer
let run: RecordedRun
beforeAll(() => {
  const gguf = readGguf(committedAsset('stories260K/stories260K-f32.gguf'))
  model = loadModel(gguf)
  tokenizer = loadTokenizer(gguf)
  run = recordOracle(model, PROMPT, { maxTokens: 4 }).run
})

const stating = (identity: NonNullable<Alterations['identity']>) => alterRun(run, { identity })

describe('prompts', () => {
  test('that differ are not comparable, and are shown side by side', () => {
    const other = recordOracle(model, [1, 403, 407, 262, 378]).run
    const { verdict, alignment, checkpoints } = against(other, run, { tokenizer })
    expect(verdict).toMatchObject({ outcome: 'not-comparable', exitCode: 3 })
    expect(verdict.line).toBe('NOT COMPARABLE: the prompts differ from position 3 on: token 262 " s" against 261 " a"')
    expect(checkpoints).toEqual([])
    expect(alignment.refusals[0]!.details).toContainEqual(
      expect.stringMatching(/^3 .*262 " s".*261 " a".*first difference/),
    )
  })

  test.each(['candidate', 'reference', 'both'])('that are not stated by %s: not shown to be comparable', (who) => {
    const silent = stating({ promptTokenIds: undefined })
    const { verdict } = against(who === 'reference' ? run : silent, who === 'candidate' ? run : silent)
    expect(verdict.exitCode).toBe(3)
    expect(verdict.line).toMatch(/^NOT SHOWN TO BE COMPARABLE: .* the token ids of its prompt/)
  })

  test('of which one is the beginning of the other', () => {
    expect(sideBySide([1, 2, 3], [1, 2])).toEqual([
      'position  candidate  reference',
      '0         1          1',
      '1         2          2',
      '2         3          (none)     <- first difference',
    ])
  })
})

describe('identity', () => {
  test.each([
    ['modelSha256', 'b'.repeat(64), 'model'],
    ['architecture', 'qwen2', 'architecture'],
    ['layers', 6, 'shape'],
    ['vocabSize', 513, 'shape'],
    ['weightsFingerprint', 'f1', 'weights'],
    ['tokenizerSha256', 'b'.repeat(64), 'tokenizer'],
    ['chatTemplateSha256', 'b'.repeat(64), 'chat-template'],
  ])('%s that both state and that differs: exit 3', (key, value, kind) => {
    const ours = stating({
      modelSha256: HASH,
      tokenizerSha256: HASH,
      chatTemplateSha256: HASH,
      weightsFingerprint: 'f0',
    })
    const theirs = alterRun(ours, {
      identity: { [key]: value, ...(key === 'modelSha256' && { weightsFingerprint: undefined }) },
    })
    const left = key === 'modelSha256' ? alterRun(ours, { identity: { weightsFingerprint: undefined } }) : ours
    const { verdict, alignment } = against(left, theirs)
    expect(verdict).toMatchObject({ outcome: 'not-comparable', exitCode: 3 })
    expect(alignment.refusals.map((refusal) => refusal.kind)).toContain(kind)
  })

  test('another container of the same weights is the same model', () => {
    const ours = stating({ modelSha256: HASH, weightsFingerprint: 'f0' })
    const theirs = stating({ modelSha256: 'b'.repeat(64), weightsFingerprint: 'f0' })
    expect(against(ours, theirs).verdict.exitCode).toBe(0)
  })

  test('what one side leaves out is unverified, and exit 3 under strict identity', () => {
    const ours = stating({ modelSha256: HASH, tokenizerSha256: HASH })
    const { verdict, alignment } = against(ours, run)
    expect(verdict.exitCode).toBe(0)
    expect(alignment.unverified).toEqual([
      'model: not stated by the reference',
      'tokenizer: not stated by the reference',
      'chat template: stated by neither side',
    ])
    const strict = against(ours, run, { strictIdentity: true }).verdict
    expect(strict).toMatchObject({ outcome: 'not-comparable', exitCode: 3 })
    expect(strict.line).toContain('unverified model')
  })
})

test.each(['candidate', 'reference', 'neither'])(
  'models of different hashes are refused although %s alone states a fingerprint',
  (who) => {
    const stating = (letter: string, states: boolean) =>
      alterRun(run, {
        identity: { modelSha256: letter.repeat(64), ...(states && { weightsFingerprint: 'f0' }) },
      })
    const { verdict } = against(stating('a', who === 'candidate'), stating('b', who === 'reference'))
    expect(verdict).toMatchObject({ outcome: 'not-comparable', exitCode: 3 })
    expect(verdict.line).toContain('the models differ')
  },
)

describe('layouts', () => {
  test.each([undefined, 'model'])('q and k in halves are brought to neighbours; head length from %s', (given) => {
    const { verdict, alignment } = against(run, inHalves(run, 8), given === undefined ? {} : { model })
    expect(verdict.line).toMatch(/^SAME: all .* bit for bit/)
    const found = given === undefined ? ', found by trying' : ''
    expect(alignment.mappings).toEqual([`reference: halves-to-neighbours(attn_q, attn_k; head length 8${found})`])
    expect(against(inHalves(run, 8), run).alignment.mappings[0]).toMatch(/^candidate: halves-to-neighbours/)
  })

  test('rotated q and k alone tell no head length, and are left out rather than guessed', () => {
    const rotatedOnly = alterRun(inHalves(run, 8), { values: (name) => (/attn_[qk]$/.test(name) ? false : undefined) })
    const { alignment, checkpoints, verdict } = against(run, rotatedOnly)
    expect(verdict.exitCode).toBe(0)
    expect(checkpoints.some(({ name }) => ROTATED.test(name))).toBe(false)
    expect(alignment.unverified).toContainEqual(expect.stringContaining('half-split order'))
  })

  test('wrong pairs are not mapped away', () => {
    const planted = inHalves(run, 8)
    const silent = alterRun(planted, { identity: { ropeOrder: 'gguf' } })
    expect(against(silent, run).verdict.outcome).toBe('diverged')
  })

  test('a side that states halves and holds neighbours is not let through by a head length of 2', () => {
    const mislabelled = alterRun(run, { identity: { ropeOrder: 'halves' } })
    expect(against(mislabelled, run).verdict).toMatchObject({ outcome: 'diverged', exitCode: 1 })
  })

  test('heads first is turned around', () => {
    const checkpoints = new Map(run.checkpoints)
    checkpoints.set('blk.1.attn_kqv', headsFirst(run.checkpoints.get('blk.1.attn_kqv')!, 8))
    const { verdict, alignment } = against({ id: 'other', identity: run.identity, checkpoints }, run)
    expect(verdict.line).toMatch(/^SAME: all/)
    expect(alignment.mappings).toEqual(['candidate: heads-tokens-to-tokens-heads(attn_kqv)'])
  })

  test('fused qkv is split', () => {
    const fused = new MemoryRun('fused', run.identity)
    for (const [name, checkpoint] of run.checkpoints) {
      const { width, slabCount } = checkpoint
      if (/attn_[qkv]$/.test(name)) continue
      for (let index = 0; index < slabCount; index++)
        fused.add(name, checkpoint.slab(index), width, checkpoint.slab(index).read())
    }
    const parts = ['attn_q', 'attn_k', 'attn_v'].map((op) => run.checkpoints.get(`blk.1.${op}`)!)
    for (let index = 0; index < parts[0]!.slabCount; index++) {
      const { pos, count } = parts[0]!.slab(index)
      const rows = Array.from({ length: count }, (_, row) =>
        parts.flatMap((part) => [...part.slab(index).read(row, 1)]),
      )
      fused.add('blk.1.attn_qkv', { pos }, rows[0]!.length, Float32Array.from(rows.flat()))
    }
    const { verdict, alignment, checkpoints } = against(fused, run)
    expect(verdict.line).toMatch(/^SAME: all/)
    expect(alignment.mappings).toEqual(['candidate: split(attn_qkv into attn_q, attn_k, attn_v)'])
    expect(checkpoints.map(({ name }) => name).filter((name) => /attn_[qkv]$/.test(name))).toEqual([
      'blk.1.attn_q',
      'blk.1.attn_k',
      'blk.1.attn_v',
    ])
  })

  function headsFirst(checkpoint: Checkpoint, heads: number): Checkpoint {
    const { name, width, slabCount } = checkpoint
    const turned = (index: number): Slab => {
      const inner = checkpoint.slab(index)
      const values = inner.read()
      const dimensions = width / heads
      const mapped = values.map((_, i) => {
        const head = Math.floor(i / (inner.count * dimensions))
        const row = Math.floor(i / dimensions) % inner.count
        return values[row * width + head * dimensions + (i % dimensions)]!
      })
      return { ...inner, read: () => mapped }
    }
    return { name, width, headsFirst: heads, slabCount, slab: turned }
  }
})

describe('runs', () => {
  test('of one file are matched by their prompts, repeats in their order', () => {
    const others = [
      [1, 2],
      [1, 3],
      [1, 2],
    ].map((ids, index) => alterRun(recordOracle(model, ids).run, { id: `r${index}` }))
    const candidates = [
      [1, 3],
      [1, 2],
      [1, 2],
      [1, 2],
    ].map((ids, index) => alterRun(recordOracle(model, ids).run, { id: `c${index}` }))
    const compared = compareRecordings(memoryRecording(candidates), memoryRecording(others))
    expect(compared.map(({ reference }) => reference.run)).toEqual(['r1', 'r0', 'r2', 'r0'])
    expect(compared.every(({ verdict }) => verdict.outcome === 'same')).toBe(true)
  })

  test('that only the reference has are looked at and named: a candidate that lacks a prompt is not the same', () => {
    const extra = alterRun(recordOracle(model, [1, 9, 9]).run, { id: 'extra' })
    const named = compare(memoryRecording([run]), memoryRecording([run, extra])).verdict
    expect(named).toMatchObject({ outcome: 'partial', exitCode: 3 })
    expect(named.line).toMatch(
      /^NO DIFFERENCE FOUND, BUT EQUALITY NOT SHOWN: the reference's run extra was compared with nothing; compared was 100 % /,
    )
    const lacking = compare(memoryRecording([run]), memoryRecording([run, extra]), { allowPartial: true }).verdict
    expect(lacking).toMatchObject({ outcome: 'partial', exitCode: 0 })
    const part = alterRun(run, { values: (name) => name === 'output_norm' })
    const allowed = compare(memoryRecording([part]), memoryRecording([run, extra]), { allowPartial: true }).verdict
    expect(allowed).toMatchObject({ outcome: 'partial', exitCode: 0 })
    expect(allowed.line).toContain("; the reference's run extra was compared with nothing; ")
    const rubbish = alterRun(extra, { values: (name, values) => void (name === 'blk.1.output' && values.fill(NaN)) })
    const { verdict, reference } = compare(memoryRecording([run]), memoryRecording([run, rubbish]))
    expect(verdict).toMatchObject({ outcome: 'untrusted', exitCode: 4 })
    expect(reference.unfit[0]).toMatchObject({
      kind: 'non-finite',
      checkpoint: 'blk.1.output',
      message: expect.stringContaining('(in run extra)'),
    })
  })

  test('of one recording are not read over each other', () => {
    const memory = new Float32Array(512)
    const sharing = (source: RecordedRun): RecordedRun => {
      const logits = source.checkpoints.get('logits')!
      const slab = (index: number): Slab => {
        const inner = logits.slab(index)
        const read = (first = 0) => {
          memory.set(inner.read(first, 1))
          return memory
        }
        return { ...inner, pos: PROMPT.length - 1, count: 1, read: () => read(PROMPT.length - 1) }
      }
      return {
        id: 'r',
        identity: source.identity,
        checkpoints: new Map([['logits', { ...logits, name: 'logits', width: 512, slabCount: 1, slab }]]),
      }
    }
    const wrong = alterRun(run, { values: (name, values) => void (name === 'logits' && values.reverse()) })
    expect(against(sharing(wrong), sharing(run)).verdict.outcome).toBe('diverged')
    expect(against(sharing(run), sharing(run)).verdict.outcome).toBe('same')
  })

  test('without a match: the worst wins', () => {
    const strange = recordOracle(model, [1, 9, 9]).run
    const comparison = compare(memoryRecording([run, strange]), memoryRecording([run]))
    expect(comparison.verdict).toMatchObject({ outcome: 'not-comparable', exitCode: 3 })
  })

  test('with nothing in common: exit 4', () => {
    const only = (pattern: RegExp) => alterRun(run, { values: (name) => (pattern.test(name) ? undefined : false) })
    const { verdict } = against(only(/logits/), only(/output$/))
    expect(verdict.exitCode).toBe(4)
    expect(verdict.line).toMatch(/^NOTHING COMPARED: no checkpoint and position is in both/)
  })
})
