import { LAYER_CHECKPOINTS } from '@plumbline/protocol'
import type { ReferenceModel } from '@plumbline/reference'
import { beforeAll, describe, expect, test } from 'vitest'
import { alterRun } from '../../test/helpers/alter-run.ts'
import { against, PROMPT, recordTruth } from '../../test/helpers/truth.ts'
import { MemoryRun } from '../recording/memory-recording.ts'
import type { RecordedRun, Values } from '../recording/recording.ts'
import { tolerance } from './ladder.ts'
import { statedProfile } from './profile.ts'

let model: ReferenceModel
let truth: RecordedRun
beforeAll(() => {
  ;({ model, truth } = recordTruth())
})

describe('the ladder', () => {
  const OPS = ['token_embd', ...LAYER_CHECKPOINTS, 'output_norm', 'logits'] as const
  test.each(OPS)('%s: each profile allows more than the finer one, and deep layers no less than the first', (op) => {
    for (const layer of [0, 3, 12, 30, 80]) {
      const bounds = (['bit-exact', 'float32', 'float16', 'quantised-activations'] as const).map((profile) =>
        tolerance(profile, op, op === 'logits' || op === 'output_norm' ? layer + 3 : layer),
      )
      expect(bounds[0]).toBe(0)
      expect(bounds).toEqual(bounds.toSorted((a, b) => a - b))
      expect(bounds[1]).toBeGreaterThan(0)
      expect(bounds[1]).toBeLessThan(1e-8)
    }
    for (const profile of ['float32', 'float16', 'quantised-activations'] as const) {
      expect(tolerance(profile, op, 31)).toBeGreaterThanOrEqual(tolerance(profile, op, 3))
    }
  })

  test.each([
    [{ activations: 'F32' }, { activations: 'F64' }, 'float32'],
    [{ activations: 'F32', kvCache: 'F16' }, { activations: 'F64' }, 'float16'],
    [{ activations: 'F32' }, { activations: 'BF16' }, 'quantised-activations'],
    [{ activations: 'Q8_0' }, { activations: 'F16' }, 'quantised-activations'],
    [{}, { engine: 'llama.cpp', modelName: 'm-q4_k_m.gguf', kvCache: 'f16' }, 'quantised-activations'],
    [{}, { engine: 'llama.cpp', modelName: 'm-f32.gguf', kvCache: 'f16' }, 'float16'],
    [{}, {}, 'float32'],
  ] as const)('%j and %j are compared as %3$s', (ours, theirs, profile) => {
    const run = (identity: RecordedRun['identity']): RecordedRun => ({ id: '', identity, checkpoints: new Map() })
    expect(statedProfile({ candidate: run(ours), reference: run(theirs) }).profile).toBe(profile)
    expect(statedProfile({ candidate: run(theirs), reference: run(ours) }).profile).toBe(profile)
  })
})

describe('what is enough to be called equal', () => {
  const only = (pattern: RegExp, from = 0) =>
    alterRun(truth, { values: (name, _, { pos }) => (pattern.test(name) && pos >= from ? undefined : false) })
  test.each<[string, RegExp, number, 'same' | 'partial']>([
    ['all logits', /^logits$/, 0, 'same'],
    ["all layers' outputs and the logits", /output$|^logits$/, 0, 'same'],
    ["all layers' outputs, no logits", /output$/, 0, 'partial'],
    ['one op of all', /^blk\.2\.attn_q$/, 0, 'partial'],
    ['decoding alone', /./, PROMPT.length, 'partial'],
  ])('%s: %3$s', (_, pattern, from, outcome) => {
    const { verdict } = against(only(pattern, from), truth)
    expect(verdict).toMatchObject({ outcome, exitCode: outcome === 'same' ? 0 : 3 })
    expect(against(only(pattern, from), truth, { allowPartial: true }).verdict).toMatchObject({ outcome, exitCode: 0 })
  })
})

describe('a difference that is found in a part of the values is no part that is equal', () => {
  const altered = (pattern: RegExp, change: (values: Values) => void) =>
    alterRun(truth, {
      values: (name, values) => {
        if (!pattern.test(name)) return false
        change(values)
        return undefined
      },
    })
  test.each([false, true])('whatever is allowed to be missing (allowPartial: %j)', (allowPartial) => {
    const noLogits = altered(/^blk\.2\.ffn/, (values) => void values.reverse())
    const { verdict } = against(noLogits, truth, { allowPartial })
    expect(verdict).toMatchObject({ outcome: 'diverged', exitCode: 1 })
    expect(verdict.line).toMatch(/^DIVERGED first at blk\.2\.ffn_input/)
  })

  test('first greedy tokens that differ where no logits were recorded', () => {
    const tokenIds = truth.identity.generatedTokenIds!
    const others = tokenIds.map(() => 300)
    const candidate = alterRun(truth, {
      identity: { generatedTokenIds: others },
      values: (name, _, { pos }) => (/output$/.test(name) && pos < PROMPT.length ? undefined : false),
    })
    const { verdict } = against(
      Object.assign(candidate, { greedy: { tokenIds: others } }),
      Object.assign(alterRun(truth, { values: (name) => (name === 'logits' ? false : undefined) }), {
        greedy: { tokenIds },
      }),
    )
    expect(verdict).toMatchObject({ outcome: 'diverged', exitCode: 1 })
    expect(verdict.line).toMatch(/^DIVERGED in the greedy continuation: token 1 of the continuation is 300/)
  })
})

test('recordings of another model than was given are refused, with the width that gives it away', () => {
  const wider = new MemoryRun('wider', truth.identity)
  wider.add(
    'blk.0.output',
    { pos: 0, dtype: 'F32' },
    288,
    Float32Array.from({ length: PROMPT.length * 288 }, (_, i) => Math.sin(i * i)),
  )
  const other = new MemoryRun('other', truth.identity)
  other.add(
    'blk.0.output',
    { pos: 0, dtype: 'F32' },
    288,
    Float32Array.from({ length: PROMPT.length * 288 }, (_, i) => Math.cos(i * i)),
  )
  const { verdict } = against(wider, other, { model })
  expect(verdict).toMatchObject({ outcome: 'not-comparable', exitCode: 3 })
  expect(verdict.line).toBe(
    "NOT COMPARABLE: the model that was given is not the candidate's: blk.0.output has 288 values a row, and the model's 64",
  )
  const stranger = alterRun(truth, { identity: { promptTokenIds: [1, 512, 407, 261, 378] } })
  expect(against(stranger, stranger, { model }).verdict.line).toMatch(
    /there is a token 512, and the model's vocabulary has 512$/,
  )
})

test('an error below the tolerance of its op is found where it began, not where it exceeds', () => {
  const nudged = (run: RecordedRun) =>
    alterRun(run, {
      values: (name, values) => {
        if (name === 'blk.2.attn_v')
          for (let i = 0; i < values.length; i++) values[i] = values[i]! * (1 + 2e-6 * (i % 3))
        if (name === 'blk.2.attn_kqv')
          for (let i = 0; i < values.length; i++) values[i] = values[i]! * (1 + 4e-5 * (i % 3))
        return undefined
      },
    })
  const { divergence, checkpoints } = against(nudged(truth), truth)
  expect(checkpoints.find(({ exceeding }) => exceeding.length > 0)!.name).toBe('blk.2.attn_kqv')
  expect(divergence!.checkpoint).toBe('blk.2.attn_v')
})

test('noise at one op does not hide where a mistake begins later', () => {
  const noisy = alterRun(truth, {
    values: (name, values) => {
      if (name === 'blk.0.attn_kqv')
        for (let i = 0; i < values.length; i++) values[i] = values[i]! * (1 + 1e-7 * (i % 2))
      if (name === 'blk.3.ffn_up') values.reverse()
      return undefined
    },
  })
  expect(against(noisy, truth).divergence!.checkpoint).toBe('blk.3.ffn_up')
})

describe('decimals that a side says its values were printed with', () => {
  const rounded = (decimals: number) =>
    alterRun(truth, {
      values: (_, values) => {
        for (let i = 0; i < values.length; i++) values[i] = Math.round(values[i]! * 10 ** decimals) / 10 ** decimals
        return undefined
      },
    })
  const stating = (run: RecordedRun, printedDecimals: number) => Object.assign(alterRun(run, {}), { printedDecimals })
  const wrong = () =>
    alterRun(truth, {
      values: (_, values) => {
        for (let i = 0; i < values.length; i++) values[i] = values[i]! + 0.3 * Math.sin(i)
        return undefined
      },
    })

  test('honest ones are allowed for: what was printed with 4 is the same', () => {
    expect(against(rounded(4), truth).verdict.exitCode).toBe(1)
    const { verdict, alignment } = against(stating(rounded(4), 4), truth)
    expect(verdict.exitCode).toBe(0)
    expect(alignment.unverified.join()).not.toContain('decimals')
    expect(against(truth, stating(rounded(4), 4)).verdict.exitCode).toBe(0)
  })

  test.each([0, 1, 2, 3, 4])('a wrong run that states %d is not let through', (decimals) => {
    expect(against(stating(wrong(), decimals), truth).verdict.exitCode).toBe(1)
    const { verdict, alignment } = against(truth, stating(wrong(), decimals))
    expect(verdict.exitCode).not.toBe(0)
    const told = `the reference's statement that values were printed with ${decimals} decimals: `
    expect(alignment.unverified).toContainEqual(expect.stringContaining(told))
  })

  test('0, 1 and 2 are too few to excuse anything, though the values are multiples of them', () => {
    for (const decimals of [0, 1, 2]) {
      const verdict = against(stating(rounded(decimals), decimals), truth, { profile: 'float32' }).verdict
      expect(verdict.exitCode).not.toBe(0)
    }
  })

  test('under bit-exact they count for nothing', () => {
    expect(against(stating(rounded(4), 4), truth, { profile: 'bit-exact' }).verdict.exitCode).toBe(1)
  })
})
