import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, type ReferenceModel, readGguf } from '@plumbline/reference'
import { beforeAll, describe, expect, it } from 'vitest'
import { alterRun } from '../../test/helpers/alter-run.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { diagnose } from './diagnose.ts'

// Wrong outputs that are made here, from recorded inputs and the published formulas, and not by the catalogue that names them.

const PROMPT = [1, 403, 407, 261, 378, 432, 341, 293, 396, 411, 290, 265]
let model: ReferenceModel
let reference: RecordedRun
beforeAll(() => {
  model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  reference = recordOracle(model, PROMPT, { maxTokens: 4 }).run
})

/** All rows of a checkpoint, in order. */
function rowsOf(name: string): Float64Array[] {
  const { slabCount, width } = reference.checkpoints.get(name)!
  const rows: Float64Array[] = []
  for (let index = 0; index < slabCount; index++) {
    const values = Float64Array.from(reference.checkpoints.get(name)!.slab(index).read())
    for (let at = 0; at < values.length; at += width) rows.push(values.subarray(at, at + width))
  }
  return rows
}

/** The reference, but for one checkpoint, whose rows at `from` and later are those given; and what is said of it. */
function causeOf(checkpoint: string, from: number, rows: readonly (readonly number[] | Float64Array)[]) {
  const candidate = alterRun(reference, {
    id: 'hand-made',
    values: (name, values, { pos, width }) => {
      if (name !== checkpoint) return undefined
      for (let row = 0; row < values.length / width; row++) {
        if (pos + row >= from) for (let i = 0; i < width; i++) values[row * width + i] = rows[pos + row]![i]!
      }
      return undefined
    },
  })
  return diagnose({ candidate, reference, model, divergence: { checkpoint, position: from } }).cause
}

function normed(row: Float64Array, weight: Float32Array, epsilon: number, count = row.length): Float64Array {
  const scale = 1 / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / count + epsilon)
  return row.map((x, i) => x * scale * weight[i]!)
}

/** Neighbours 2i and 2i + 1 turned by position * angle(i), in heads of 8. */
function turned(row: Float64Array, angle: (pair: number) => number): number[] {
  return Array.from(row, (value, i) => {
    const pair = (i % 8) >> 1
    return i % 2 === 0
      ? value * Math.cos(angle(pair)) - row[i + 1]! * Math.sin(angle(pair))
      : row[i - 1]! * Math.sin(angle(pair)) + value * Math.cos(angle(pair))
  })
}

/** Attention of layer 2: 8 heads of 8 over 4 heads of keys and values. */
function attended(
  sees: (key: number, position: number) => boolean,
  cache: (rows: Float64Array[]) => readonly Float64Array[],
  of = 'kv',
): number[][] {
  const queries = rowsOf('blk.2.attn_q_rope')
  const keys = of.includes('k') ? cache(rowsOf('blk.2.attn_k_rope')) : rowsOf('blk.2.attn_k_rope')
  const values = of.includes('v') ? cache(rowsOf('blk.2.attn_v')) : rowsOf('blk.2.attn_v')
  return queries.map((query, position) =>
    Array.from({ length: 64 }, (_, out) => {
      const head = out >> 3
      const at = (head >> 1) * 8
      let sum = 0
      let total = 0
      for (let key = 0; key <= position; key++) {
        if (!sees(key, position)) continue
        let score = 0
        for (let i = 0; i < 8; i++) score += query[head * 8 + i]! * keys[key]![at + i]!
        const weight = Math.exp(score / Math.sqrt(8))
        total += weight
        sum += weight * values[key]![at + (out & 7)]!
      }
      return sum / total
    }),
  )
}

describe('a wrong output that is made by hand', () => {
  it.each([
    [40_000, 1, 'prefill'],
    [40_000, 12, 'decode'],
    [123_000, 1, 'prefill'],
    [2_500_000, 13, 'decode'],
    [3_000, 5, 'prefill'],
  ])('rope base %i from token %i on (%s)', (base, from) => {
    const rows = rowsOf('blk.2.attn_q').map((row, p) => turned(row, (pair) => p * base ** ((-2 * pair) / 8)))
    expect(causeOf('blk.2.attn_q_rope', from, rows)).toMatchObject({
      mistake: 'rope-base',
      message: expect.stringContaining(`uses the base (rope_theta) ${base} in the place of 10000`),
    })
  })

  it.each([
    [7, 1],
    [100, 12],
    [-3, 5],
  ])('rope at positions that are %i off, from token %i on', (offset, from) => {
    const rows = rowsOf('blk.4.attn_k').map((row, p) =>
      turned(row, (pair) => (p + offset) * 10_000 ** ((-2 * pair) / 8)),
    )
    expect(causeOf('blk.4.attn_k_rope', from, rows)).toMatchObject({
      mistake: 'rope-offset',
      message: `blk.4.attn_k_rope rotates by the position plus ${offset}`,
    })
  })

  it.each([
    [3, 1],
    [3, 12],
    [5, 1],
    [11, 13],
    [1, 2],
  ])('a sliding window of %i, from token %i on', (window, from) => {
    const rows = attended(
      (key, position) => key > position - window,
      (cache) => cache,
    )
    const first = Math.max(from, window)
    const cause = causeOf('blk.2.attn_kqv', first, rows)
    expect(`${cause?.mistake}: ${cause?.message}`).toContain(
      `sliding-window: blk.2.attn_kqv sees a sliding window only, of positions: ${window}`,
    )
  })

  it.each([
    ['kv-row-stale', 'kv', 4, 4, 'certain'],
    ['kv-key-stale', 'k', 4, 4, 'certain'],
    ['kv-value-stale', 'v', 3, 3, 'certain'],
    ['kv-row-stale', 'kv', 5, 12, 'certain'],
    // A row that was right for the token before: it must have been overwritten since.
    ['kv-value-stale', 'v', 2, 13, 'likely'],
  ])(
    '%s: a cache whose row (%s) of token %i is that before it, from token %i on',
    (mistake, of, stale, from, confidence) => {
      const rows = attended(
        () => true,
        (cache) => cache.map((row, i) => (i === stale ? cache[i - 1]! : row)),
        of,
      )
      const cause = causeOf('blk.2.attn_kqv', from, rows)
      expect([cause?.mistake, cause?.confidence]).toEqual([mistake, confidence])
      expect(cause?.message).toMatch(new RegExp(`position ${stale}$`))
    },
  )

  it('a row of zeros in the cache', () => {
    const rows = attended(
      () => true,
      (cache) => cache.map((row, i) => (i === 6 ? new Float64Array(row.length) : row)),
    )
    const cause = causeOf('blk.2.attn_kqv', 12, rows)
    expect(cause).toMatchObject({ mistake: 'kv-row-missing', confidence: 'certain' })
  })

  it.each([1, -1, 5, -20])('the rows of a weight shifted by %i', (shift) => {
    const rows = rowsOf('blk.1.ffn_up').map((row) => row.map((_, i) => row[(i + shift + row.length) % row.length]!))
    const cause = causeOf('blk.1.ffn_up', 0, rows)
    expect(cause?.mistake).toBe('weight-row-shifted')
    expect(cause?.message).toContain(`so many rows further: ${shift}`)
  })

  it('the embedding of another token at a single token', () => {
    const table = model.weights.tokenEmbedding.weight
    const rows = rowsOf('token_embd').map((row, p) => (p === 4 ? table.slice(379 * 64, 380 * 64) : row))
    const cause = causeOf(
      'token_embd',
      4,
      rows.map((row) => Array.from(row)),
    )
    expect(cause?.message).toContain('token 4')
    expect(cause).toMatchObject({
      mistake: 'embedding-row-wrong',
      message:
        'token_embd holds the row of another token at one position: at token 4 that of id 379 in the place of 378',
    })
  })

  it('rows of other ids than the run states are said to be that, though the reference states the ids of the rows', () => {
    const [first, ...others] = reference.identity.generatedTokenIds!
    const candidate = alterRun(reference, { id: 'candidate', identity: { generatedTokenIds: [7, ...others] } })
    const divergence = { checkpoint: 'token_embd', position: PROMPT.length }
    const { cause } = diagnose({ candidate, reference, model, divergence })
    expect(cause).toMatchObject({
      mistake: 'embedding-row-wrong',
      message: `token_embd holds the row of another token at one position: at token ${PROMPT.length} that of id ${first} in the place of 7`,
    })
  })

  it('an op that is wrong at one position alone', () => {
    const rows = rowsOf('blk.3.ffn_norm').map((row, p) => (p === 7 ? rowsOf('blk.3.ffn_input')[p]! : row))
    expect(causeOf('blk.3.ffn_norm', 7, rows)).toMatchObject({
      mistake: 'norm-missing',
      message: expect.stringContaining('at token 7 alone'),
    })
  })

  it('an epsilon that nobody would list', () => {
    const weight = model.weights.layers[2]!.attnNorm
    const rows = rowsOf('blk.1.output').map((row) => {
      const meanSquare = row.reduce((sum, x) => sum + x * x, 0) / row.length
      return row.map((x, i) => (x / Math.sqrt(meanSquare + 0.037)) * weight[i]!)
    })
    expect(causeOf('blk.2.attn_norm', 0, rows)).toMatchObject({
      mistake: 'norm-epsilon',
      message: 'blk.2.attn_norm uses the epsilon 0.037',
    })
  })

  it('the epsilon that it names is certain: one number explains rows of unlike size', () => {
    const weight = model.weights.layers[2]!.attnNorm
    const rows = rowsOf('blk.1.output').map((row) => normed(row, weight, 0.037))
    expect(causeOf('blk.2.attn_norm', 0, rows)).toMatchObject({ mistake: 'norm-epsilon', confidence: 'certain' })
  })

  it.each([
    [0.99, [3]],
    [1.001, [3]],
    [0.9, [11]],
    [0.5, [2, 7]],
  ])('a norm row times %f at tokens %j is no epsilon', (factor, tokens) => {
    const rows = rowsOf('blk.2.attn_norm').map((row, p) => row.map((x) => (tokens.includes(p) ? factor * x : x)))
    const where = tokens.length === 1 ? `token ${tokens[0]}` : `tokens ${tokens.join(', ')}`
    expect(causeOf('blk.2.attn_norm', tokens[0]!, rows)).toMatchObject({
      mistake: 'row-scaled',
      message: `blk.2.attn_norm is what it should be times ${factor}, at ${where} alone`,
    })
  })

  it('a norm of another divisor at one token is no epsilon', () => {
    const weight = model.weights.layers[2]!.attnNorm
    const inputs = rowsOf('blk.1.output')
    const rows = rowsOf('blk.2.attn_norm').map((row, p) =>
      p === 3 ? normed(inputs[p]!, weight, 1e-5, inputs[p]!.length - 1) : row,
    )
    const cause = causeOf('blk.2.attn_norm', 3, rows)
    expect([cause?.mistake, cause?.message]).not.toContain('epsilon')
    expect(cause?.mistake).toBe('row-scaled')
  })

  it.each([0.99, 0.9])('norm rows that are all times %f are no epsilon', (factor) => {
    const rows = rowsOf('blk.2.attn_norm').map((row) => row.map((x) => factor * x))
    expect(causeOf('blk.2.attn_norm', 0, rows)).toBeUndefined()
  })

  it('an epsilon, or a factor, of the only row there is: no more than possible', () => {
    const { run } = recordOracle(model, [1])
    const candidate = alterRun(run, {
      values: (name, values) => {
        if (name === 'blk.2.attn_norm') for (const i of values.keys()) values[i]! *= 0.99
        return undefined
      },
    })
    const divergence = { checkpoint: 'blk.2.attn_norm', position: 0 }
    const { cause } = diagnose({ candidate, reference: run, model, divergence })
    expect(cause).toMatchObject({ mistake: 'norm-epsilon', confidence: 'possible' })
  })

  it.each([
    ['base', (p: number, pair: number) => p * 9000 ** ((-2 * pair) / 8)],
    ['scaling', (p: number, pair: number) => p * 1.02 * 10_000 ** ((-2 * pair) / 8)],
    ['offset', (p: number, pair: number) => (p + 3) * 10_000 ** ((-2 * pair) / 8)],
  ])('a RoPE %s at one token alone is no more than possible', (_, angle) => {
    const right = rowsOf('blk.2.attn_q_rope')
    const rows = rowsOf('blk.2.attn_q').map((row, p) => (p === 4 ? turned(row, (pair) => angle(p, pair)) : right[p]!))
    expect(causeOf('blk.2.attn_q_rope', 4, rows)?.confidence).toBe('possible')
  })

  it('positions that grow by a power are no scaling', () => {
    const rows = rowsOf('blk.2.attn_q').map((row, p) => turned(row, (pair) => p ** 1.01 * 10_000 ** ((-2 * pair) / 8)))
    expect(causeOf('blk.2.attn_q_rope', 2, rows)?.mistake).not.toBe('rope-scaling')
  })
})
