import type { Op } from '../comparison/comparison.ts'

/** Ops in the words of people. */
export const OP_WORDS: Readonly<Record<Op, string>> = {
  token_embd: 'token embedding',
  attn_norm: 'norm before attention',
  attn_q: 'queries',
  attn_k: 'keys',
  attn_v: 'values',
  attn_q_rope: 'RoPE of the queries',
  attn_k_rope: 'RoPE of the keys',
  attn_kqv: 'attention',
  attn_output: "attention's output projection",
  ffn_input: 'sum after attention',
  ffn_norm: 'norm before the feed-forward',
  ffn_gate: 'feed-forward gate',
  ffn_up: 'feed-forward up',
  ffn_act: 'feed-forward activation',
  ffn_down: 'feed-forward down',
  output: "layer's output",
  output_norm: 'norm after the layers',
  logits: 'logits',
}
