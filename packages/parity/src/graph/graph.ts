import type { LayerCheckpoint } from '@plumbline/protocol'
import type { Op } from '../comparison/comparison.ts'

/** One checkpoint of the forward pass and what it is made from. */
export interface GraphNode {
  /** As in `checkpointNames` of protocol, e.g. blk.3.attn_q. */
  readonly name: string
  readonly op: Op
  readonly layer: number | null
  /** Checkpoints that the op reads; none for token_embd, which reads token ids. */
  readonly inputs: readonly string[]
}

/** Of a layer's checkpoints, by their names within it; `residual` is the stream that enters the layer. */
const LAYER_INPUTS: Readonly<Record<LayerCheckpoint, readonly (LayerCheckpoint | 'residual')[]>> = {
  attn_norm: ['residual'],
  attn_q: ['attn_norm'],
  attn_k: ['attn_norm'],
  attn_v: ['attn_norm'],
  attn_q_rope: ['attn_q'],
  attn_k_rope: ['attn_k'],
  attn_kqv: ['attn_q_rope', 'attn_k_rope', 'attn_v'],
  attn_output: ['attn_kqv'],
  ffn_input: ['residual', 'attn_output'],
  ffn_norm: ['ffn_input'],
  ffn_gate: ['ffn_norm'],
  ffn_up: ['ffn_norm'],
  ffn_act: ['ffn_gate', 'ffn_up'],
  ffn_down: ['ffn_act'],
  output: ['ffn_input', 'ffn_down'],
}

/** The node of a checkpoint of a model with that many layers; undefined for a name that its forward pass does not have. */
export function graphNode(name: string, layers: number): GraphNode | undefined {
  if (name === 'token_embd') return { name, op: name, layer: null, inputs: [] }
  if (name === 'output_norm') return { name, op: name, layer: null, inputs: [residualInto(layers)] }
  if (name === 'logits') return { name, op: name, layer: null, inputs: ['output_norm'] }
  const [, index, op] = /^blk\.(\d+)\.(\w+)$/.exec(name) ?? []
  if (op === undefined || !Object.hasOwn(LAYER_INPUTS, op) || Number(index) >= layers) return undefined
  const layer = Number(index)
  const inputs = LAYER_INPUTS[op as LayerCheckpoint].map((input) =>
    input === 'residual' ? residualInto(layer) : `blk.${layer}.${input}`,
  )
  return { name, op: op as LayerCheckpoint, layer, inputs }
}

/** The residual stream that enters a layer, or leaves the last one. */
export function residualInto(layer: number): string {
  return layer === 0 ? 'token_embd' : `blk.${layer - 1}.output`
}
