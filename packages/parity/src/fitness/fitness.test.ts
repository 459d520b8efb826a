import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, type ReferenceModel, readGguf } from '@plumbline/reference'
import { beforeAll, describe, expect, it, test } from 'vitest'
import { type Alterations, alterRun } from '../../test/helpers/alter-run.ts'
import { coverRows } from '../alignment/row-cover.ts'
import { compare } from '../comparison/compare.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import { memoryRecording } from '../recording/memory-recording.ts'
import type { RecordedRun, Values } from '../recording/recording.ts'
import { drifts } from './drift.ts'
import { otherDtype } from './row-oddities.ts'

// Honest, and full of repeats: 403 and 261 come often.
const PROMPT = [1, 403, 407, 261, 378, 403, 407, 261, 378, 403, 403, 403, 261, 261, 261, 407, 407, 403, 261, 432]
let model: ReferenceModel
let honest: RecordedRun
beforeAll(() => {
  model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  honest = recordOracle(model, PROMPT, { maxTokens: 24 }).run
})

function kindsOf(altered: RecordedRun, who: 'candidate' | 'reference' = 'reference'): string[] {
  const sides = who === 'reference' ? [honest, altered] : [altered, honest]
  const comparison = compare(memoryRecording([sides[0]!]), memoryRecording([sides[1]!]))
  const kinds = [...new Set(comparison[who].unfit.map(({ kind }) => kind))]
  if (kinds.length > 0) {
    expect(comparison.verdict).toMatchObject({ outcome: 'untrusted', exitCode: 4 })
    expect(comparison.verdict.line).toContain(`UNTRUSTED ${who.toUpperCase()}`)
  }
  return kinds
}

const at = (wanted: string, position: number, change: (row: Values) => void): Alterations => ({
  values: (name, values, { pos, width }) => {
    const row = position - pos
    if (name === wanted && row >= 0 && row * width < values.length) {
      change(values.subarray(row * width, (row + 1) * width))
    }
    return undefined
  },
})

describe('an honest run', () => {
  it('is fit, whatever its tokens repeat', () => {
    expect(kindsOf(honest)).toEqual([])
    for (const ids of [Array(30).fill(403), [1, 1, 1, 1, 1], Array.from({ length: 40 }, (_, i) => 300 + (i % 2))]) {
      const run = recordOracle(model, ids, { maxTokens: 8 }).run
      expect(compare(memoryRecording([run]), memoryRecording([run])).verdict.line).toMatch(/^SAME/)
    }
  })

  it('is fit although attention gives the values of one position again, as where there is a sink', () => {
    const row = honest.checkpoints.get('blk.1.attn_kqv')!.slab(0).read(0, 1).slice()
    expect(
      kindsOf(
        alterRun(
          honest,
          at('blk.1.attn_kqv', 1, (values) => values.set(row)),
        ),
      ),
    ).toEqual([])
  })

  it('is fit although an engine took the wrong embedding row for a token', () => {
    const ids = [...PROMPT]
    ids[6] = ids[5]!
    const wrong = recordOracle(model, ids).run
    expect(kindsOf(alterRun(wrong, { identity: { promptTokenIds: PROMPT, generatedTokenIds: [] } }))).toEqual([])
  })
})

describe('unfit is a side with', () => {
  const bits = (row: Values) => new Uint32Array(row.buffer, row.byteOffset, row.length)
  const noise = (i: number) => (Math.imul(i + 1, 0x9e3779b1) ^ (i << 7)) >>> 0
  test.each<[string, string, string, (row: Values) => void]>([
    ['one NaN', 'non-finite', 'blk.2.ffn_up', (row) => row.fill(NaN, 3, 4)],
    ['one infinity', 'non-finite', 'logits', (row) => row.fill(-Infinity, 3, 4)],
    ['logits of 1e18', 'magnitude', 'logits', (row) => row.fill(1e18, 0, 1)],
    ['a huge activation', 'magnitude', 'blk.1.attn_v', (row) => row.fill(-1e12, 0, 1)],
    [
      'a storm of denormals',
      'denormals',
      'blk.3.output',
      (row) =>
        bits(row).forEach((_, i, all) => {
          all[i] = noise(i) & 0x7fffff
        }),
    ],
    ['memory half written', 'exact-zeros', 'blk.3.output', (row) => row.fill(0, 0, row.length / 2)],
    ['dead logits', 'exact-zeros', 'logits', (row) => row.fill(0, 100, 200)],
    ['a row of zeros', 'constant-row', 'blk.0.attn_kqv', (row) => row.fill(0)],
    ['a constant row', 'constant-row', 'output_norm', (row) => row.fill(0.5)],
    [
      'addresses',
      'pointer-like',
      'blk.1.ffn_gate',
      (row) =>
        bits(row).forEach((_, i, all) => {
          if (i < 40) all[i] = i % 2 ? 0x7f31 : noise(i)
        }),
    ],
    [
      'F16 read as F32',
      'dtype-like',
      'blk.1.ffn_gate',
      (row) =>
        bits(row).forEach((_, i, all) => {
          all[i] = (0x3000 + (noise(i) & 0xfff)) * 0x10000 + 0x3000 + (noise(i + 999) & 0xfff)
        }),
    ],
    [
      'BF16 read as F32',
      'dtype-like',
      'blk.1.ffn_gate',
      (row) =>
        bits(row).forEach((_, i, all) => {
          all[i] = (0x3e80 + (noise(i) & 0x1ff)) * 0x10000 + 0x3e80 + (noise(i + 999) & 0x1ff)
        }),
    ],
    [
      'token ids read as F32',
      'denormals',
      'logits',
      (row) =>
        bits(row).forEach((_, i, all) => {
          all[i] = 1 + (noise(i) % 500)
        }),
    ],
  ])('%s: %s', (_, kind, checkpoint, change) => {
    for (const who of ['candidate', 'reference'] as const) {
      expect(kindsOf(alterRun(honest, at(checkpoint, 4, change)), who)).toContain(kind)
    }
  })

  test('F64 read as F32: dtype-like', () => {
    const doubles = Float64Array.from({ length: 128 }, (_, i) => Math.sin(i + 1) * 2 + 0.01)
    const kind = { op: 'output', layer: 1, dtype: 'F32', whole: true } as const
    expect(otherDtype(new Float32Array(doubles.buffer), kind)?.kind).toBe('dtype-like')
    expect(otherDtype(Float32Array.from(doubles), kind)).toBeUndefined()
  })

  test('the row of another token: repeated-row', () => {
    const row = honest.checkpoints.get('blk.2.ffn_norm')!.slab(0).read(2, 1).slice()
    expect(
      kindsOf(
        alterRun(
          honest,
          at('blk.2.ffn_norm', 4, (values) => values.set(row)),
        ),
      ),
    ).toEqual(['repeated-row'])
  })

  test("another layer's output: repeated-row", () => {
    const row = honest.checkpoints.get('blk.2.output')!.slab(0).read(4, 1).slice()
    const altered = alterRun(
      honest,
      at('blk.3.output', 4, (values) => values.set(row)),
    )
    expect(kindsOf(altered)).toEqual(['repeated-row'])
    const { candidate } = compare(memoryRecording([altered]), memoryRecording([honest]))
    expect(candidate.unfit).toMatchObject([
      { checkpoint: 'blk.3.output', position: 4, message: expect.stringContaining('blk.2.output at position 4') },
    ])
  })

  test('a position recorded twice: duplicate-row', () => {
    const twice = alterRun(honest, {})
    const row = honest.checkpoints.get('logits')!.slab(0).read(3, 1).slice()
    ;(twice as unknown as { add: (...given: unknown[]) => void }).add('logits', { pos: 3 }, row.length, row)
    expect(kindsOf(twice)).toEqual(['duplicate-row'])
  })

  test('norms that grow with time: drift', () => {
    const growing = alterRun(honest, {
      values: (name, values, { pos, width }) => {
        if (name === 'output_norm')
          values.forEach((value, i) => {
            values[i] = value * 1.2 ** (pos + Math.floor(i / width))
          })
        return undefined
      },
    })
    expect(kindsOf(growing)).toEqual(['drift'])
  })
})

describe('rubbish that both sides hold alike is not let through', () => {
  const replaced = (wanted: RegExp) =>
    alterRun(honest, {
      values: (name, values, { pos }) => {
        if (wanted.test(name)) for (let i = 0; i < values.length; i++) values[i] = Math.sin((i + 1) * (pos + 1.37))
        return undefined
      },
    })
  test.each([
    ['all but the logits', /^(?!logits)/, /^UNTRUSTED CANDIDATE AND REFERENCE: /],
    ['what a layer gives', /^blk\.2\.output$/, /blk\.2\.output .* the sum of blk\.2\.ffn_input and blk\.2\.ffn_down/],
    ['what attention gives', /attn_output$/, /blk\.0\.ffn_input .* the sum of token_embd and blk\.0\.attn_output/],
    ['one activation', /^blk\.4\.ffn_act$/, /blk\.4\.ffn_act .* what blk\.4\.ffn_gate and blk\.4\.ffn_up give/],
    ['embeddings', /^token_embd$/, /token 403 has another embedding there than at position 1/],
  ])('%s', (_, wanted, line) => {
    const { verdict } = compare(memoryRecording([replaced(wanted)]), memoryRecording([replaced(wanted)]))
    expect(verdict.exitCode).toBe(4)
    expect(verdict.line).toMatch(line)
  })

  test('residuals that are a thousandth off', () => {
    const off = alterRun(honest, {
      values: (name, values) => {
        if (name === 'blk.1.output')
          for (let i = 0; i < values.length; i++) values[i] = values[i]! * (1 + 3e-3 * (i % 2))
        return undefined
      },
    })
    expect(compare(memoryRecording([off]), memoryRecording([off])).verdict.exitCode).toBe(4)
  })
})

test('a buffer that is added to from run to run: drift', () => {
  const runs = [1, 1.1, 1.2].map((factor, index) =>
    alterRun(honest, {
      id: `run-${index}`,
      values: (name, values) => {
        if (name === 'blk.3.output') for (let i = 0; i < values.length; i++) values[i] = values[i]! * factor
        return undefined
      },
    }),
  )
  const { verdict, reference } = compare(memoryRecording([runs[0]!]), memoryRecording(runs))
  expect(verdict.exitCode).toBe(4)
  expect(reference.unfit[0]).toMatchObject({ kind: 'drift', checkpoint: 'blk.3.output' })
  const again = [0, 1, 2].map((index) => alterRun(honest, { id: `run-${index}` }))
  expect(compare(memoryRecording(again), memoryRecording(again)).verdict.exitCode).toBe(0)
})

test('a scale that follows the time and not the position drifts, one that follows the position does not', () => {
  const positions = Array.from({ length: 32 }, (_, i) => (i * 11) % 32)
  const byTime = positions.map((_, time) => 1 + time / 8)
  const byPosition = positions.map((position) => 1 + position / 8)
  expect(drifts({ positions, scales: byTime })).toContain('not with the position')
  expect(drifts({ positions, scales: byPosition })).toBeUndefined()
})

test('what is wrong is told three times a checkpoint, then counted', () => {
  const wrong = alterRun(honest, {
    values: (name, values) => {
      if (name === 'logits') for (let i = 5; i < values.length; i += 512) values[i] = NaN
      return undefined
    },
  })
  const { reference } = compare(memoryRecording([honest]), memoryRecording([wrong]))
  expect(reference.unfit).toHaveLength(3)
  expect(reference.unfit[2]!.message).toContain(`(and ${PROMPT.length + 23 - 3} more rows)`)
})

test('a checkpoint of many slabs is covered once', () => {
  expect(coverRows(honest.checkpoints.get('logits')!).stretches).toHaveLength(24)
})

test('what a side recorded that nothing it recorded could contradict is named, and no reason to refuse', () => {
  const both = (altered: RecordedRun) => compare(memoryRecording([altered]), memoryRecording([altered]))
  expect(both(honest).unchecked).toEqual([])
  const logits = both(alterRun(honest, { values: (name) => name === 'logits' }))
  expect(logits.verdict.exitCode).toBe(0)
  expect(logits.unchecked).toEqual([
    "the candidate's sums and activations: none was recorded with its inputs",
    "the reference's sums and activations: none was recorded with its inputs",
  ])
  expect(both(alterRun(honest, { identity: { architecture: 'gemma2' } })).unchecked[0]).toBe(
    "the candidate's sums and activations: what they must be in gemma2 is not known",
  )
})
