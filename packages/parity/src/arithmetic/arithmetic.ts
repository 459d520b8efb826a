import type { OpSite } from '../graph/op-site.ts'
import { halfSums, minimaOf, throughMinima } from './half-sums.ts'
import { roundToHalf } from './narrow-floats.ts'
import { GGML_SCHEME, hasMinima, NO_ROUNDING, type Rounding, roundRows } from './rounding.ts'

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

  /** Adds to what a linear op gave, [count, width] at its positions, what keeping the sums of its input's blocks in F16 makes of it. */
  addHalfSums(site: OpSite, output: Float64Array): void {
    for (const { row, sums, weights } of this.#keptSums(site)) {
      const more = throughMinima(weights, sums.excess)
      for (const [i, value] of more.entries()) output[row * more.length + i]! += value
    }
  }

  /** The NMSE that another last bit of each of those sums makes: where a value of the block went the other way at a tie. */
  halfSumNoise(site: OpSite, output: Float64Array): number {
    let noise = 0
    for (const { sums, weights } of this.#keptSums(site)) {
      const squares = throughMinima(
        weights.map((value) => value ** 2),
        sums.sums.map((sum) => (sum * 2 ** -11) ** 2),
      )
      noise += squares.reduce((sum, value) => sum + value, 0)
    }
    return noise === 0 ? 0 : noise / output.reduce((sum, value) => sum + value ** 2, 0)
  }

  *#keptSums(site: OpSite) {
    const type = weightType(site)
    const weights = hasMinima(type) ? minimaAt(site) : undefined
    if (weights === undefined) return
    const { source, node, first, count } = site
    for (let row = 0; row < count; row++) {
      const rounding = this.matrices(type, first + row)
      if (rounding.keepsSums !== true) continue
      const input = source.rows(node.inputs[0]!, first + row, 1)
      yield { row, sums: halfSums(rounding, input), weights }
    }
  }
}

const minima = new WeakMap<Float32Array, Float32Array>()

/** Of a linear op whose weights have minima, those of each block; undefined for all others. */
function minimaAt(site: OpSite): Float32Array | undefined {
  const type = weightType(site)
  const weight = site.linear()?.weight
  if (weight === undefined || !hasMinima(type)) return undefined
  const known = minima.get(weight) ?? minimaOf(type, site.model.gguf.tensorBytes(site.tensorName))
  minima.set(weight, known)
  return known
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
