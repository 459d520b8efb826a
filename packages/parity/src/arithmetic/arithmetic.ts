import type { OpSite } from '../graph/op-site.ts'
import { roundToHalf } from './narrow-floats.ts'
import { GGML_SCHEME, NO_ROUNDING, type Rounding, roundRows } from './rounding.ts'

/** What attention computes in: how it reads queries and the KV cache, and how its weights are rounded after the softmax. */
export interface AttentionRounding {
  readonly name: string
  /** For a verdict line. */
  readonly words: string
  readonly queries?: (value: number) => number
  readonly cache?: (value: number) => number
  readonly weights?: (value: number) => number
}

export const WHOLE_ATTENTION: AttentionRounding = { name: 'none', words: 'unrounded attention' }

/** The likelier first. The last is ggml's without flash attention: both of its products have F16 on either side. */
export const ATTENTION_ROUNDINGS: readonly AttentionRounding[] = [
  WHOLE_ATTENTION,
  { name: 'f16-cache', words: 'an F16 KV cache', cache: roundToHalf },
  { name: 'f16', words: 'attention in F16', queries: roundToHalf, cache: roundToHalf, weights: roundToHalf },
]

/** How an engine rounds what its ops read. All else is taken to be float32 or better. */
export class Arithmetic {
  /** By the type of the weights, e.g. Q8_0, and the position: kernels for a prompt and for a single token may differ. */
  readonly matrices: (weights: string, position: number) => Rounding
  readonly attention: AttentionRounding

  constructor(matrices: (weights: string, position: number) => Rounding, attention = WHOLE_ATTENTION) {
    this.matrices = matrices
    this.attention = attention
  }

  /** Whether the op at the site may give something else than without rounding. */
  befalls(site: OpSite): boolean {
    return site.op === 'attn_kqv' ? this.attention !== WHOLE_ATTENTION : site.linear() !== undefined
  }

  /** Whether the op at the site, of one row, reads anything rounded. */
  rounds(site: OpSite): boolean {
    if (site.op === 'attn_kqv') return this.attention !== WHOLE_ATTENTION
    return site.linear() !== undefined && this.matrices(weightType(site), site.first) !== NO_ROUNDING
  }

  /** Rows of an input, [count, width] from position `first` on, as the op at the site sees them. */
  asRead(site: OpSite, checkpoint: string, first: number, count: number, rows: Float64Array): Float64Array {
    if (site.op === 'attn_kqv') {
      const round = checkpoint === site.node.inputs[0] ? this.attention.queries : this.attention.cache
      return round === undefined || !site.node.inputs.includes(checkpoint)
        ? rows
        : rows.map((value) => round(Math.fround(value)))
    }
    if (site.linear() === undefined || checkpoint !== site.node.inputs[0]) return rows
    const weights = weightType(site)
    const columns = rows.length / count
    let rounded = rows
    for (let from = 0; from < count; ) {
      const rounding = this.matrices(weights, first + from)
      let to = from + 1
      while (to < count && this.matrices(weights, first + to) === rounding) to++
      if (from === 0 && to === count) return roundRows(rounding, rows, columns)
      if (rounding !== NO_ROUNDING) {
        if (rounded === rows) rounded = rows.slice()
        rounded.set(roundRows(rounding, rows.subarray(from * columns, to * columns), columns), from * columns)
      }
      from = to
    }
    return rounded
  }
}

/** The type of the tensor that a linear op multiplies with. */
export function weightType(site: OpSite): string {
  return site.model.gguf.tensors.get(site.tensorName)?.type ?? 'F32'
}

/** Every matrix reads its inputs rounded alike, whatever its weights. */
export function uniformArithmetic(rounding: Rounding, attention = WHOLE_ATTENTION): Arithmetic {
  return new Arithmetic(() => rounding, attention)
}

/** Of ggml on a CPU, without flash attention. */
export const GGML_ARITHMETIC = new Arithmetic((weights) => GGML_SCHEME.of(weights), ATTENTION_ROUNDINGS.at(-1))
