import { applyLinear, type Linear } from '@plumbline/reference/ops'
import type { OpSite } from '../graph/op-site.ts'
import { embed } from '../graph/op-site.ts'
import type { Mistake } from './mistake.ts'

const layerLinears = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'] as const
const linears = [...layerLinears, 'logits'] as const
const biased = ['attn_q', 'attn_k', 'attn_v'] as const

function applied(site: OpSite, changes: Partial<Linear>): Float64Array {
  return applyLinear({ ...site.linear()!, ...changes }, site.input(), site.count)
}

/** The op with other weights: a linear op, or the embedding. */
export function withWeight(site: OpSite, weight: Float32Array): Float64Array {
  return site.op === 'token_embd'
    ? embed(site.tokenIds(), weight, site.config.embeddingLength)
    : applied(site, { weight })
}

function withBias(site: OpSite, change: (bias: Float32Array) => Float32Array): Float64Array | undefined {
  const bias = site.linear()?.bias
  return bias && applied(site, { bias: change(bias) })
}

/** Rows in the order in which `source` says where each comes from. */
function reordered(
  { rows, columns, weight, bias }: Linear,
  source: (row: number) => number,
): Pick<Linear, 'weight' | 'bias'> {
  const shuffled = new Float32Array(weight.length)
  for (let row = 0; row < rows; row++) {
    shuffled.set(weight.subarray(source(row) * columns, (source(row) + 1) * columns), row * columns)
  }
  return { weight: shuffled, ...(bias && { bias: bias.map((_, row) => bias[source(row)]!) }) }
}

/** Places that the largest value may have come from. */
const ORIGINS = 8

/** By how many rows the weight is shifted that gives the recorded row: the largest value tells where it came from, the others choose. */
function estimateShift(site: OpSite, recorded: Float64Array): readonly number[] {
  const { bias, rows } = site.linear()!
  const [right, wrong] = [site.right(), recorded].map((values) => values.map((value, i) => value - (bias?.[i] ?? 0)))
  const largest = wrong!.reduce((most, value, i) => (Math.abs(value) > Math.abs(wrong![most]!) ? i : most), 0)
  const origins = Array.from({ length: rows }, (_, row) => row)
    .toSorted((a, b) => Math.abs(right![a]! - wrong![largest]!) - Math.abs(right![b]! - wrong![largest]!))
    .slice(0, ORIGINS)
  const misfit = (shift: number) =>
    wrong!.reduce((sum, value, i) => sum + (value - right![(i + shift + rows) % rows]!) ** 2, 0)
  const [best] = origins.map((origin) => origin - largest).toSorted((a, b) => misfit(a) - misfit(b))
  if (best === undefined || best === 0) return []
  return [Math.abs(best) <= rows / 2 ? best : best - Math.sign(best) * rows]
}

/** Of the matrices: projections, feed-forward, head. */
export const LINEAR_MISTAKES: readonly Mistake[] = [
  {
    name: 'bias-missing',
    description: 'leaves out the bias',
    ops: biased,
    compute: (site) => withBias(site, (bias) => bias.map(() => 0)),
  },
  {
    name: 'bias-doubled',
    description: 'adds the bias twice',
    ops: biased,
    compute: (site) => withBias(site, (bias) => bias.map((b) => 2 * b)),
  },
  {
    name: 'bias-shifted',
    description: 'has the bias shifted by one row',
    ops: biased,
    compute: (site) => withBias(site, (bias) => bias.map((_, i) => bias[(i + 1) % bias.length]!)),
  },
  {
    name: 'bias-of-other-layer',
    description: 'uses the bias of another layer, off by',
    ops: biased,
    parameters: (site) => (site.layer === 0 ? [1] : [-1, 1]),
    compute: (site, step) => {
      const other = site.linear(site.op, site.layer + step)?.bias
      return other && withBias(site, () => other)
    },
  },
  {
    name: 'weight-transposed',
    description: 'reads the weight as if it were transposed',
    ops: linears,
    compute: (site) => {
      const { rows, columns, weight } = site.linear()!
      const transposed = new Float32Array(weight.length)
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++)
          transposed[row * columns + column] = weight[column * rows + row]!
      }
      return applied(site, { weight: transposed })
    },
  },
  {
    name: 'weight-row-shifted',
    description: 'has in each row of the weight what belongs so many rows further:',
    ops: linears,
    parameters: () => [1, -1],
    estimate: estimateShift,
    compute: (site, shift) => {
      const linear = site.linear()!
      const { rows } = linear
      return applied(site, { weight: reordered(linear, (row) => (((row + shift) % rows) + rows) % rows).weight })
    },
  },
  {
    name: 'weight-of-other-layer',
    description: 'uses the weight of another layer, off by',
    ops: layerLinears,
    parameters: (site) => (site.layer === 0 ? [1] : [-1, 1]),
    compute: (site, step) => {
      const other = site.linear(site.op, site.layer + step)
      return other && applyLinear(other, site.input(), site.count)
    },
  },
  {
    name: 'key-value-weights-swapped',
    description: 'uses the weight of values for keys, or of keys for values',
    ops: ['attn_k', 'attn_v'],
    compute: (site) => {
      const other = site.linear(site.op === 'attn_k' ? 'attn_v' : 'attn_k')!
      return other.rows === site.linear()!.rows ? applyLinear(other, site.input(), site.count) : undefined
    },
  },
  {
    name: 'rows-not-permuted',
    description: "has its rows in the other order of RoPE's pairs: halves for neighbours, or the other way round",
    ops: ['attn_q', 'attn_k'],
    compute: (site) => {
      const { keyLength, ropePairing } = site.config
      const pairs = keyLength / 2
      return applied(
        site,
        reordered(site.linear()!, (row) => {
          const i = row % keyLength
          const inHead =
            ropePairing === 'neighbours' ? (i % pairs) * 2 + Math.floor(i / pairs) : (i % 2) * pairs + (i >> 1)
          return row - i + inHead
        }),
      )
    },
  },
  {
    name: 'columns-dropped',
    description: 'leaves out the last columns of the weight:',
    ops: linears,
    parameters: () => [4, 1, 8, 16, 32, 64],
    compute: (site, dropped) => {
      const { columns, weight } = site.linear()!
      return dropped >= columns
        ? undefined
        : applied(site, { weight: weight.map((w, i) => (i % columns < columns - dropped ? w : 0)) })
    },
  },
  {
    name: 'input-not-normalised',
    description: 'reads the residual stream itself, not what the norm made of it',
    ops: ['attn_q', 'attn_k', 'attn_v', 'ffn_gate', 'ffn_up', 'logits'],
    compute: (site) => {
      const norm = site.elsewhere({ name: site.node.inputs[0]! })
      return applyLinear(site.linear()!, norm.input(), site.count)
    },
  },
  {
    name: 'input-of-other-position',
    description: 'reads the row before in the place of its own',
    ops: linears,
    compute: (site) => {
      const first = Math.max(site.first - 1, 0)
      const x = site.input(first, site.first + site.count - first)
      const width = x.length / (site.first + site.count - first)
      const rows = site.first === 0 ? [x.subarray(0, width), x.subarray(0, x.length - width)] : [x.subarray(0, -width)]
      const shifted = new Float64Array(site.count * width)
      let at = 0
      for (const part of rows) {
        shifted.set(part, at)
        at += part.length
      }
      return applyLinear(site.linear()!, shifted, site.count)
    },
  },
  {
    name: 'head-not-tied',
    description: 'uses a head that was never filled, though the head is the token embedding',
    ops: ['logits'],
    compute: (site) =>
      site.model.gguf.tensors.has('output.weight') ? undefined : new Float64Array(site.count * site.model.vocabSize),
  },
  {
    name: 'head-tied',
    description: 'uses the token embedding as the head, though the model has a head of its own',
    ops: ['logits'],
    compute: (site) =>
      site.model.gguf.tensors.has('output.weight')
        ? applied(site, { weight: site.model.weights.tokenEmbedding.weight })
        : undefined,
  },
]
