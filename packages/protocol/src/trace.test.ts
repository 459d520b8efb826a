import { expect, it } from 'vitest'
import { checkpointNames, traceRecordSchema } from './trace.ts'

it('names the checkpoints of a model in the order of computation', () => {
  expect(checkpointNames(1)).toEqual([
    'token_embd',
    ...'attn_norm attn_q attn_k attn_v attn_q_rope attn_k_rope attn_kqv attn_output ffn_input ffn_norm ffn_gate ffn_up ffn_act ffn_down output'
      .split(' ')
      .map((name) => `blk.0.${name}`),
    'output_norm',
    'logits',
  ])
  expect(checkpointNames(2, 'layers')).toEqual(['token_embd', 'blk.0.output', 'blk.1.output', 'output_norm', 'logits'])
  expect(checkpointNames(2, 'logits')).toEqual(['logits'])
})

it('carries non-finite values as words, never as numbers', () => {
  const record = {
    v: 1,
    run: 'r',
    phase: 'decode',
    pos: 3,
    n: 1,
    layer: null,
    name: 'logits',
    dtype: 'F32',
    shape: [1, 2],
    stats: { min: 'NaN', max: 'Infinity', mean: 'NaN', rms: 'NaN', nonfinite: 2 },
    offset: 0,
    nbytes: 8,
    values: ['NaN', '-Infinity'],
  }
  expect(traceRecordSchema.parse(record)).toEqual(record)
  expect(traceRecordSchema.safeParse({ ...record, values: [Number.NaN] }).success).toBe(false)
})
