import type { OpSite } from './op-site.ts'

export interface Attention {
  readonly scale?: number
  readonly kvHead?: (head: number) => number
  /** Which positions a query at `position` sees: [from, to). */
  readonly sees?: (position: number) => readonly [from: number, to: number]
  readonly skips?: (key: number, position: number) => boolean
  /** [positions, kvHeads * keyLength] from position 0 on. */
  readonly keys?: Float64Array
  readonly values?: Float64Array
  /** Added to the sum of exponentials: 1 is an attention sink. */
  readonly sink?: number
  readonly softmax?: boolean
}

/** Attention with anything in it changed; with nothing changed it is the reference's. */
export function attentionWith(site: OpSite, changes: Attention): Float64Array {
  const { heads, kvHeads, keyLength, valueLength } = site.config
  const {
    scale = 1 / Math.sqrt(keyLength),
    kvHead = (head) => Math.floor((head * kvHeads) / heads),
    sees = (position) => [0, position + 1],
    skips = () => false,
    sink = 0,
    softmax = true,
  } = changes
  const roundWeight = site.source.arithmetic?.attention.weights
  const queries = site.ofLayer('attn_q_rope')
  let end = 0
  for (let row = 0; row < site.count; row++) end = Math.max(end, sees(site.first + row)[1])
  const keys = changes.keys ?? site.ofLayer('attn_k_rope', 0, end)
  const values = changes.values ?? site.ofLayer('attn_v', 0, end)
  const result = new Float64Array(site.count * heads * valueLength)
  const weights = new Float64Array(end)
  for (let row = 0; row < site.count; row++) {
    const position = site.first + row
    const [from, to] = sees(position)
    for (let head = 0; head < heads; head++) {
      const query = (row * heads + head) * keyLength
      let largest = -Infinity
      for (let key = from; key < to; key++) {
        const at = (key * kvHeads + kvHead(head)) * keyLength
        let score = 0
        for (let i = 0; i < keyLength; i++) score += queries[query + i]! * keys[at + i]!
        weights[key] = skips(key, position) ? -Infinity : score * scale
        largest = Math.max(largest, weights[key]!)
      }
      if (largest === -Infinity) continue
      let total = softmax ? sink * Math.exp(-largest) : 1
      for (let key = from; softmax && key < to; key++) {
        weights[key] = Math.exp(weights[key]! - largest)
        total += weights[key]!
      }
      const out = (row * heads + head) * valueLength
      for (let key = from; key < to; key++) {
        const at = (key * kvHeads + kvHead(head)) * valueLength
        const share = weights[key]! / total
        const weight = roundWeight === undefined ? share : roundWeight(share)
        for (let i = 0; i < valueLength; i++) result[out + i]! += weight * values[at + i]!
      }
    }
  }
  return result
}

/** Attention over keys and values of all positions up to the site's last, changed in place by `change`. */
export function attentionWithCache(
  site: OpSite,
  change: (keys: Float64Array, values: Float64Array, keyWidth: number, valueWidth: number) => void,
): Float64Array {
  const { kvHeads, keyLength, valueLength } = site.config
  const end = site.first + site.count
  const keys = site.ofLayer('attn_k_rope', 0, end).slice()
  const values = site.ofLayer('attn_v', 0, end).slice()
  change(keys, values, kvHeads * keyLength, kvHeads * valueLength)
  return attentionWith(site, { keys, values })
}
