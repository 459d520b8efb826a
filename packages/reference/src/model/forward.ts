import type { LayerCheckpoint } from '@plumbline/protocol'
import type { RoundActivations } from './activations.ts'
import { attention } from './attention.ts'
import type { ModelConfig } from './config.ts'
import type { KvCache } from './kv-cache.ts'
import { applyLinear } from './linear.ts'
import { rmsNorm } from './rms-norm.ts'
import { rope } from './rope.ts'
import { swiglu } from './swiglu.ts'
import type { Linear, Weights } from './weights.ts'

/**
 * Called at each checkpoint, in the order of computation. `name` as in `checkpointNames` of protocol, `layer` null outside the
 * layers, `values` [positions.count, width]. The array may be changed or reused afterwards: copy what is to be kept.
 */
export type CheckpointObserver = (
  name: string,
  layer: number | null,
  positions: { readonly start: number; readonly count: number },
  width: number,
  values: Float64Array,
) => void

export interface ForwardContext {
  readonly config: ModelConfig
  readonly weights: Weights
  readonly ropeFrequencies: Float64Array
  /** One a layer. */
  readonly caches: readonly KvCache[]
  /** Of what matrices of quantised weights read; undefined: they read it as it is. */
  readonly activations: RoundActivations | undefined
}

/**
 * The forward pass over `ids` at the positions from `start` on, in float64; keys and values of the positions before are in the
 * caches, those of these positions are put there. Returns logits [ids.length, vocabulary].
 */
export function forward(
  { config, weights, ropeFrequencies, caches, activations }: ForwardContext,
  ids: readonly number[],
  start: number,
  observer?: CheckpointObserver,
): Float64Array {
  const count = ids.length
  const observe = (name: string, layer: number | null, values: Float64Array): Float64Array => {
    observer?.(layer === null ? name : `blk.${layer}.${name}`, layer, { start, count }, values.length / count, values)
    return values
  }
  const multiply = (linear: Linear, x: Float64Array): Float64Array => {
    const read = activations !== undefined && linear.quantised ? activations(x, linear.columns) : x
    return applyLinear(linear, read, count)
  }

  let residual = observe('token_embd', null, embed(ids, weights.tokenEmbedding))
  for (const [layer, block] of weights.layers.entries()) {
    const at = (name: LayerCheckpoint, values: Float64Array) => observe(name, layer, values)
    const cache = caches[layer]!

    const attnInput = at('attn_norm', rmsNorm(residual, block.attnNorm, config.rmsEpsilon))
    const q = at('attn_q', multiply(block.attnQ, attnInput))
    const k = at('attn_k', multiply(block.attnK, attnInput))
    const v = at('attn_v', multiply(block.attnV, attnInput))
    const rotatedQ = at('attn_q_rope', rope(q, config, ropeFrequencies, config.heads, start))
    const rotatedK = at('attn_k_rope', rope(k, config, ropeFrequencies, config.kvHeads, start))
    cache.write(start, rotatedK, v)
    const kqv = at('attn_kqv', attention(config, rotatedQ, cache, start))
    const attnOutput = at('attn_output', multiply(block.attnOutput, kqv))
    const afterAttention = at('ffn_input', sum(residual, attnOutput))

    const ffnInput = at('ffn_norm', rmsNorm(afterAttention, block.ffnNorm, config.rmsEpsilon))
    const gate = at('ffn_gate', multiply(block.ffnGate, ffnInput))
    const up = at('ffn_up', multiply(block.ffnUp, ffnInput))
    const activated = at('ffn_act', swiglu(gate, up))
    const down = at('ffn_down', multiply(block.ffnDown, activated))
    residual = at('output', sum(afterAttention, down))
  }
  const normalised = observe('output_norm', null, rmsNorm(residual, weights.outputNorm, config.rmsEpsilon))
  return observe('logits', null, multiply(weights.output, normalised))
}

function embed(ids: readonly number[], { columns, weight }: Linear): Float64Array {
  const rows = new Float64Array(ids.length * columns)
  for (const [row, id] of ids.entries()) rows.set(weight.subarray(id * columns, (id + 1) * columns), row * columns)
  return rows
}

function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + b[i]!)
}
