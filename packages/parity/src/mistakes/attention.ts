import { attentionWith, attentionWithCache } from '../graph/attention-with.ts'
import type { OpSite } from '../graph/op-site.ts'
import type { Mistake } from './mistake.ts'

const ops = ['attn_kqv'] as const

/** One row at a time, each with a cache of its own: for what is wrong with the newest row. */
function rowByRow(site: OpSite, compute: (row: OpSite) => Float64Array): Float64Array {
  const rows = Array.from({ length: site.count }, (_, i) =>
    compute(site.elsewhere({ first: site.first + i, count: 1 })),
  )
  const width = rows[0]!.length
  const result = new Float64Array(site.count * width)
  for (const [i, row] of rows.entries()) result.set(row, i * width)
  return result
}

const chunkEnd = (site: OpSite) => site.chunk.pos + site.chunk.count

/** The window that leaves least of the site's row unexplained: the softmax over the newest 1, 2, ... positions, each from that before. */
function estimateWindow(site: OpSite, recorded: Float64Array): readonly number[] {
  const { heads, kvHeads, keyLength, valueLength } = site.config
  const end = site.first + 1
  const queries = site.ofLayer('attn_q_rope', site.first, 1)
  const keys = site.ofLayer('attn_k_rope', 0, end)
  const values = site.ofLayer('attn_v', 0, end)
  const errors = new Float64Array(end)
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor((head * kvHeads) / heads)
    const sums = new Float64Array(valueLength)
    let total = 0
    let largest = -Infinity
    for (let window = 1; window < end; window++) {
      const row = (end - window) * kvHeads + kvHead
      let score = 0
      for (let i = 0; i < keyLength; i++) score += queries[head * keyLength + i]! * keys[row * keyLength + i]!
      score /= Math.sqrt(keyLength)
      const most = Math.max(largest, score)
      const shrink = Math.exp(largest - most)
      const weight = Math.exp(score - most)
      largest = most
      total = total * shrink + weight
      for (let i = 0; i < valueLength; i++) {
        sums[i] = sums[i]! * shrink + weight * values[row * valueLength + i]!
        errors[window]! += (sums[i]! / total - recorded[head * valueLength + i]!) ** 2
      }
    }
  }
  let best = 1
  for (let window = 2; window < end; window++) if (errors[window]! < errors[best]!) best = window
  return end > 1 ? [best] : []
}

/** Of attention and its cache. */
export const ATTENTION_MISTAKES: readonly Mistake[] = [
  {
    name: 'attention-scale-missing',
    description: 'leaves the scores unscaled',
    ops,
    compute: (site) => attentionWith(site, { scale: 1 }),
  },
  {
    name: 'attention-scale-doubled',
    description: 'scales the scores twice, by 1 / d in all',
    ops,
    compute: (site) => attentionWith(site, { scale: 1 / site.config.keyLength }),
  },
  {
    name: 'attention-scale-of-width',
    description: "scales by the model's width, not the head's",
    ops,
    compute: (site) => attentionWith(site, { scale: 1 / Math.sqrt(site.config.embeddingLength) }),
  },
  {
    name: 'gqa-heads-interleaved',
    description: 'gives query head h the key-value head h mod n, not h / group',
    ops,
    compute: (site) => {
      const { heads, kvHeads } = site.config
      return kvHeads === 1 || kvHeads === heads ? undefined : attentionWith(site, { kvHead: (head) => head % kvHeads })
    },
  },
  {
    name: 'gqa-first-head-only',
    description: 'gives every query head the first key-value head',
    ops,
    compute: (site) => (site.config.kvHeads === 1 ? undefined : attentionWith(site, { kvHead: () => 0 })),
  },
  {
    name: 'mask-missing',
    description: 'sees every position of its chunk, later ones too',
    ops,
    compute: (site) => (site.chunk.count < 2 ? undefined : attentionWith(site, { sees: () => [0, chunkEnd(site)] })),
  },
  {
    name: 'mask-off-by-one-late',
    description: 'sees the position after its own',
    ops,
    compute: (site) =>
      site.chunk.count < 2
        ? undefined
        : attentionWith(site, { sees: (position) => [0, Math.min(position + 2, chunkEnd(site))] }),
  },
  {
    name: 'mask-off-by-one-early',
    description: 'does not see its own position',
    ops,
    compute: (site) => attentionWith(site, { sees: (position) => [0, Math.max(position, 1)] }),
  },
  {
    name: 'first-position-unseen',
    description: 'does not see position 0',
    ops,
    compute: (site) => attentionWith(site, { skips: (key, position) => key === 0 && position > 0 }),
  },
  {
    name: 'chunk-only',
    description: 'sees only positions of its own chunk',
    ops,
    compute: (site) =>
      site.chunk.pos === 0 ? undefined : attentionWith(site, { sees: (position) => [site.chunk.pos, position + 1] }),
  },
  {
    name: 'chunk-boundary',
    description: 'misses the last position before the chunk',
    ops,
    compute: (site) =>
      site.chunk.pos === 0 ? undefined : attentionWith(site, { skips: (key) => key === site.chunk.pos - 1 }),
  },
  {
    name: 'sliding-window',
    description: 'sees a sliding window only, of positions:',
    ops,
    parameters: () => [4],
    estimate: estimateWindow,
    isSetting: true,
    compute: (site, window) =>
      site.first + site.count <= window
        ? undefined
        : attentionWith(site, { sees: (position) => [Math.max(0, position + 1 - window), position + 1] }),
  },
  {
    name: 'kv-stale',
    description: "finds the cache's newest row not written yet: zeros",
    ops,
    compute: (site) =>
      rowByRow(site, (row) =>
        attentionWithCache(row, (keys, values, keyWidth, valueWidth) => {
          keys.fill(0, row.first * keyWidth)
          values.fill(0, row.first * valueWidth)
        }),
      ),
  },
  {
    name: 'kv-shifted',
    description: 'reads each cached row one position early',
    ops,
    compute: (site) =>
      attentionWithCache(site, (keys, values, keyWidth, valueWidth) => {
        keys.copyWithin(keyWidth, 0)
        values.copyWithin(valueWidth, 0)
      }),
  },
  {
    name: 'kv-values-shifted',
    description: 'reads each cached value one position early, keys rightly',
    ops,
    compute: (site) => attentionWithCache(site, (_, values, __, valueWidth) => void values.copyWithin(valueWidth, 0)),
  },
  {
    name: 'kv-keys-before-rope',
    description: 'reads keys that were cached before RoPE',
    ops,
    compute: (site) => attentionWith(site, { keys: site.ofLayer('attn_k', 0, site.first + site.count) }),
  },
  {
    name: 'queries-before-rope',
    description: 'uses queries from before RoPE',
    ops,
    compute: (site) => {
      const { source, node } = site
      const unrotated = Object.create(source, {
        rows: {
          value: (name: string, first: number, count: number) =>
            source.rows(name === node.inputs[0] ? name.replace('_rope', '') : name, first, count),
        },
      }) as typeof source
      return attentionWith(site.elsewhere({ source: unrotated }), {})
    },
  },
  {
    name: 'kv-of-other-layer',
    description: 'reads the cache of the layer before',
    ops,
    compute: (site) => {
      if (site.layer === 0) return undefined
      const end = site.first + site.count
      const before = (name: string) => site.rows(`blk.${site.layer - 1}.${name}`, 0, end)
      return attentionWith(site, { keys: before('attn_k_rope'), values: before('attn_v') })
    },
  },
  {
    name: 'softmax-sink',
    description: 'has an extra 1 in the denominator of the softmax',
    ops,
    compute: (site) => attentionWith(site, { sink: 1 }),
  },
  {
    name: 'softmax-missing',
    description: 'weights the values by the scores themselves, without softmax',
    ops,
    compute: (site) => attentionWith(site, { softmax: false }),
  },
  {
    name: 'heads-merged-wrongly',
    description: 'is laid out [dimension, head], not [head, dimension]',
    ops,
    compute: (site) => {
      const { heads, valueLength } = site.config
      const width = heads * valueLength
      const right = site.right()
      return right.map((_, i) => {
        const column = i % width
        return right[i - column + (column % heads) * valueLength + Math.floor(column / heads)]!
      })
    },
  },
]
