/** llama.cpp's names for the nodes of its graph (src/llama-graph.cpp, src/models/), less the `-LAYER` at their end. */
const OF_LAYER: Readonly<Record<string, string>> = {
  attn_norm: 'attn_norm',
  Vcur: 'attn_v',
  kqv_out: 'attn_kqv',
  attn_out: 'attn_output',
  ffn_inp: 'ffn_input',
  ffn_norm: 'ffn_norm',
  ffn_gate: 'ffn_gate',
  ffn_up: 'ffn_up',
  ffn_swiglu: 'ffn_act',
  ffn_gate_par: 'ffn_act',
  ffn_out: 'ffn_down',
  l_out: 'output',
}

const OF_MODEL: Readonly<Record<string, string>> = {
  inp_embd: 'token_embd',
  embd: 'token_embd',
  result_norm: 'output_norm',
  result_output: 'logits',
}

/** Ops that show again what another node holds. */
const VIEWS = /^(RESHAPE|VIEW|PERMUTE|TRANSPOSE|CONT|CPY)$/

/** The checkpoint that a node is, if it is one. q and k have one name before and after RoPE; the op tells. */
export function checkpointOfNode(name: string, op: string): string | undefined {
  // Attention's heads are laid side by side by the last op, which is a copy: kqv_out is that one.
  if (VIEWS.test(op) && !name.startsWith('kqv_out-')) return undefined
  const [, node, layer] = /^(\w+?)-(\d{1,4})$/.exec(name) ?? []
  if (node === undefined) return OF_MODEL[name]
  const rotary = /^([QK])cur$/.exec(node)?.[1]?.toLowerCase()
  const ofLayer = rotary === undefined ? OF_LAYER[node] : `attn_${rotary}${op.startsWith('ROPE') ? '_rope' : ''}`
  return ofLayer && `blk.${layer}.${ofLayer}`
}
