import type { ReferenceModel } from '@plumbline/reference'
import {
  applyLinear,
  attention,
  KvCache,
  type Linear,
  rmsNorm,
  rope,
  ropeFrequencies,
  swiglu,
} from '@plumbline/reference/ops'
import type { Arithmetic } from '../arithmetic/arithmetic.ts'
import type { Op } from '../comparison/comparison.ts'
import { attentionWith } from './attention-with.ts'
import { type GraphNode, graphNode, residualInto } from './graph.ts'

/** Consecutive positions that an engine evaluated at once. */
export interface Chunk {
  readonly pos: number
  readonly count: number
}

/** Where values of a forward pass are looked up. */
export interface ActivationSource {
  readonly model: ReferenceModel
  /** Prompt and what was generated after it, as far as they are known. */
  readonly tokenIds: readonly number[]
  /** Rows [first, first + count) of a checkpoint, [count, width]; throws NotAtHand. */
  rows(checkpoint: string, first: number, count: number): Float64Array
  /** Other requests that the engine served, if any are known. */
  readonly others: readonly ActivationSource[]
  /** How the engine rounds what its ops read; not at all where it is undefined. */
  readonly arithmetic?: Arithmetic | undefined
}

/** Values that were not recorded and cannot be replayed from what was. */
export class NotAtHand extends Error {
  override readonly name = 'NotAtHand'
}

/** What `compute` gives, or undefined where the values it needs are not at hand. */
export function ifAtHand<T>(compute: () => T): T | undefined {
  try {
    return compute()
  } catch (error) {
    if (error instanceof NotAtHand) return undefined
    throw error
  }
}

const LINEARS = {
  attn_q: 'attnQ',
  attn_k: 'attnK',
  attn_v: 'attnV',
  attn_output: 'attnOutput',
  ffn_gate: 'ffnGate',
  ffn_up: 'ffnUp',
  ffn_down: 'ffnDown',
} as const
type LayerLinear = keyof typeof LINEARS
const isLayerLinear = (op: Op): op is LayerLinear => Object.hasOwn(LINEARS, op)

/** An op of the forward pass at some positions, with what it reads: to be computed again, rightly or wrongly, in float64. */
export class OpSite {
  readonly source: ActivationSource
  readonly node: GraphNode
  readonly first: number
  readonly count: number
  /** The positions that the engine evaluated together with these. */
  readonly chunk: Chunk

  constructor(source: ActivationSource, node: GraphNode, first: number, count: number, chunk?: Chunk) {
    this.source = source
    this.node = node
    this.first = first
    this.count = count
    this.chunk = chunk ?? { pos: first, count }
  }

  get model(): ReferenceModel {
    return this.source.model
  }

  get config(): ReferenceModel['config'] {
    return this.source.model.config
  }

  get op(): Op {
    return this.node.op
  }

  /** 0 outside the layers. */
  get layer(): number {
    return this.node.layer ?? 0
  }

  /** Rows of a checkpoint at the site's positions, unless told otherwise; of its own inputs as the engine's kernels see them. */
  rows(checkpoint: string, first = this.first, count = this.count): Float64Array {
    const rows = this.source.rows(checkpoint, first, count)
    return this.source.arithmetic?.asRead(this, checkpoint, first, count, rows) ?? rows
  }

  /** Rows of the op's first, or only, input. */
  input(first = this.first, count = this.count): Float64Array {
    return this.rows(this.node.inputs[0]!, first, count)
  }

  /** Rows of a checkpoint of this site's layer. */
  ofLayer(name: string, first = this.first, count = this.count): Float64Array {
    return this.rows(`blk.${this.layer}.${name}`, first, count)
  }

  tokenIds(first = this.first, count = this.count): readonly number[] {
    const ids = this.source.tokenIds.slice(first, first + count)
    if (ids.length < count) throw new NotAtHand(`token ids of positions ${first} to ${first + count - 1}`)
    return ids
  }

  /** The same op somewhere else: at other positions, of another layer, or on another request's values. */
  elsewhere(change: { first?: number; count?: number; source?: ActivationSource; name?: string }): OpSite {
    const node = change.name === undefined ? this.node : graphNode(change.name, this.config.layers)!
    const { source = this.source, first = this.first, count = this.count } = change
    return new OpSite(source, node, first, count, this.chunk)
  }

  /** The matrix of a linear op, with its bias; undefined for all other ops. */
  linear(op: Op = this.op, layer = this.layer): Linear | undefined {
    const { weights } = this.model
    if (op === 'logits') return weights.output
    return isLayerLinear(op) ? weights.layers[layer]?.[LINEARS[op]] : undefined
  }

  /** The tensor of the GGUF that holds this op's matrix (or the embedding). */
  get tensorName(): string {
    const { tensors } = this.model.gguf
    if (this.op === 'token_embd' || (this.op === 'logits' && !tensors.has('output.weight'))) return 'token_embd.weight'
    return this.op === 'logits' ? 'output.weight' : `${this.node.name}.weight`
  }

  /** The weight of a norm; undefined for all other ops. */
  normWeight(op: Op = this.op, layer = this.layer): Float32Array | undefined {
    const { weights } = this.model
    if (op === 'output_norm') return weights.outputNorm
    if (op === 'attn_norm') return weights.layers[layer]?.attnNorm
    return op === 'ffn_norm' ? weights.layers[layer]?.ffnNorm : undefined
  }

  get headCount(): number {
    return this.op === 'attn_k_rope' ? this.config.kvHeads : this.config.heads
  }

  get ropeFrequencies(): Float64Array {
    return ropeFrequencies(this.config, this.model.weights.ropeFactors)
  }

  /** What the op gives when nothing is wrong: [count, width]. Throws NotAtHand. */
  right(): Float64Array {
    const { config, first, count, op } = this
    const linear = this.linear()
    if (linear !== undefined) {
      const output = applyLinear(linear, this.input(), count)
      this.source.arithmetic?.addHalfSums(this, output)
      return output
    }
    const normWeight = this.normWeight()
    if (normWeight !== undefined) return rmsNorm(this.input(), normWeight, config.rmsEpsilon)
    switch (op) {
      case 'token_embd':
        return embed(this.tokenIds(), this.model.weights.tokenEmbedding.weight, config.embeddingLength)
      case 'attn_q_rope':
      case 'attn_k_rope':
        return rope(this.input(), config, this.ropeFrequencies, this.headCount, first)
      case 'attn_kqv': {
        if (this.source.arithmetic?.attention.weights !== undefined) return attentionWith(this, {})
        const cache = new KvCache(config.kvHeads * config.keyLength, config.kvHeads * config.valueLength)
        cache.write(0, this.ofLayer('attn_k_rope', 0, first + count), this.ofLayer('attn_v', 0, first + count))
        return attention(config, this.input(), cache, first)
      }
      case 'ffn_act':
        return swiglu(this.ofLayer('ffn_gate'), this.ofLayer('ffn_up'))
      default: {
        const added = this.rows(this.node.inputs[1]!)
        return this.input().map((value, i) => value + added[i]!)
      }
    }
  }

  /** The residual stream that enters this site's layer. */
  get residual(): string {
    return residualInto(this.layer)
  }
}

/** Rows `ids` of a table [vocabulary, width]. */
export function embed(ids: readonly number[], table: Float32Array, width: number): Float64Array {
  const rows = new Float64Array(ids.length * width)
  for (const [row, id] of ids.entries()) rows.set(table.subarray(id * width, (id + 1) * width), row * width)
  return rows
}
