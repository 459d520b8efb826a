import type { OpSite } from '../../graph/op-site.ts'
import type { Replay } from './bundle.ts'
import type { NpyArray } from './npy-array.ts'

/** The part of an op that goes into a bundle: enough to compute some of its outputs again, exactly. */
export interface OpSlice {
  readonly replay: Replay
  /** Which of the output's values. */
  readonly columns: readonly number[]
  /** By checkpoint: what the op reads of it, of either side. Throws NotAtHand. */
  readonly inputs: (site: OpSite) => ReadonlyMap<string, NpyArray>
  readonly weights: ReadonlyMap<string, NpyArray>
}

/** Values of one row, and of a matrix together, that a bundle takes: with both sides within 1 MB. */
const MOST_COLUMNS = 8_192
const MOST_WEIGHTS = 100_000
const MOST_ROWS = 16

/** `worst`: columns of the output, those that differ most first. */
export function sliceOp(site: OpSite, worst: readonly number[]): OpSlice {
  const { config, op, node } = site
  const all = worst.map((_, column) => column)
  const rowInputs = (columns?: readonly number[]) => (at: OpSite) =>
    new Map(node.inputs.map((name) => [name, vector(pick(at.rows(name), columns))]))

  const linear = site.linear()
  if (linear !== undefined) {
    const columns = worst.slice(0, Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_WEIGHTS / linear.columns))))
    const rows = columns.flatMap((row) => [...linear.weight.subarray(row * linear.columns, (row + 1) * linear.columns)])
    const weights = new Map<string, NpyArray>([
      ['rows', { shape: [columns.length, linear.columns], values: Float64Array.from(rows) }],
    ])
    if (linear.bias !== undefined) weights.set('bias', vector(pick(linear.bias, columns)))
    return { replay: { op: 'linear' }, columns, inputs: rowInputs(), weights }
  }
  const norm = site.normWeight()
  if (norm !== undefined) {
    const weights = new Map([['rows', vector(Float64Array.from(norm))]])
    return { replay: { op: 'rms_norm', epsilon: config.rmsEpsilon }, columns: all, inputs: rowInputs(), weights }
  }
  switch (op) {
    case 'token_embd': {
      const columns = ascending(worst.slice(0, MOST_COLUMNS))
      const id = site.tokenIds()[0]!
      const width = config.embeddingLength
      const row = site.model.weights.tokenEmbedding.weight.subarray(id * width, (id + 1) * width)
      const weights = new Map([['rows', vector(pick(row, columns))]])
      return { replay: { op: 'embedding', token_id: id }, columns, inputs: () => new Map(), weights }
    }
    case 'attn_q_rope':
    case 'attn_k_rope': {
      const replay = {
        op: 'rope',
        pairing: config.ropePairing,
        head_length: config.keyLength,
        heads: site.headCount,
      } as const
      const weights = new Map([['frequencies', vector(site.ropeFrequencies)]])
      return { replay, columns: all, inputs: rowInputs(), weights }
    }
    case 'attn_kqv':
      return sliceAttention(site, worst)
    default: {
      const columns = ascending(worst.slice(0, MOST_COLUMNS))
      return {
        replay: { op: op === 'ffn_act' ? 'swiglu' : 'add' },
        columns,
        inputs: rowInputs(columns),
        weights: new Map(),
      }
    }
  }
}

/** The head that holds the worst column: its query, and all keys and values that it sees. */
function sliceAttention({ config, node }: OpSite, worst: readonly number[]): OpSlice {
  const { heads, kvHeads, keyLength, valueLength } = config
  const head = Math.floor(worst[0]! / valueLength)
  const kvHead = Math.floor(head / (heads / kvHeads))
  const [query, key, value] = node.inputs
  const inputs = (site: OpSite) => {
    const seen = site.first + 1
    const ofHead = (name: string, index: number, length: number, first: number, count: number): NpyArray => {
      const rows = site.rows(name, first, count)
      const width = rows.length / count
      const values = Float64Array.from(
        { length: count * length },
        (_, i) => rows[Math.floor(i / length) * width + index * length + (i % length)]!,
      )
      return { shape: [count, length], values }
    }
    return new Map([
      [query!, ofHead(query!, head, keyLength, site.first, 1)],
      [key!, ofHead(key!, kvHead, keyLength, 0, seen)],
      [value!, ofHead(value!, kvHead, valueLength, 0, seen)],
    ])
  }
  return {
    replay: { op: 'attention', head, key_length: keyLength, value_length: valueLength },
    columns: Array.from({ length: valueLength }, (_, i) => head * valueLength + i),
    inputs,
    weights: new Map(),
  }
}

const vector = (values: Float64Array): NpyArray => ({ shape: [values.length], values })
const ascending = (columns: readonly number[]) => columns.toSorted((a, b) => a - b)

/** The values of those columns, or all. */
export function pick(values: ArrayLike<number>, columns?: readonly number[]): Float64Array {
  return columns === undefined ? Float64Array.from(values) : Float64Array.from(columns, (column) => values[column]!)
}
