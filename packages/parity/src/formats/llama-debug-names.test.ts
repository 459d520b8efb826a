import { expect, it } from 'vitest'
import { checkpointOfNode } from './llama-debug-names.ts'

it.each([
  ['Qcur-3', 'MUL_MAT', 'blk.3.attn_q'],
  ['Qcur-3', 'ROPE', 'blk.3.attn_q_rope'],
  ['Kcur-12', 'ADD', 'blk.12.attn_k'],
  ['Kcur-12', 'RESHAPE', undefined],
  // Attention without flash attention ends with a copy, with it by being shown in another shape.
  ['kqv_out-0', 'CONT', 'blk.0.attn_kqv'],
  ['kqv_out-0', 'RESHAPE', 'blk.0.attn_kqv'],
  ['result_output', 'MUL_MAT', 'logits'],
  ['node_31', 'MUL_MAT', undefined],
])('%s by %s is %s', (name, op, checkpoint) => {
  expect(checkpointOfNode(name, op)).toBe(checkpoint)
})
