import { attentionWithCache } from '../graph/attention-with.ts'
import type { OpSite } from '../graph/op-site.ts'
import type { Mistake } from './mistake.ts'

type Part = 'keys' | 'values'
type Instead = 'row before' | 'zeros'

/** What stands in a cache's row in the place of its own. */
function replaced(rows: Float64Array, position: number, width: number, instead: Instead): Float64Array {
  return instead === 'zeros' ? new Float64Array(width) : rows.slice((position - 1) * width, position * width)
}

function compute(site: OpSite, position: number, parts: readonly Part[], instead: Instead): Float64Array {
  // Where it has not been written yet, nothing of it is read.
  if (position >= site.first + site.count) return site.right()
  return attentionWithCache(site, (keys, values, keyWidth, valueWidth) => {
    if (parts.includes('keys')) keys.set(replaced(keys, position, keyWidth, instead), position * keyWidth)
    if (parts.includes('values')) values.set(replaced(values, position, valueWidth, instead), position * valueWidth)
  })
}

/**
 * The position whose row, replaced, leaves least of the site's first row unexplained. A head's output is sum(e_j v_j) / sum(e_j) with
 * e_j = exp(score), so one row's share is taken out and its replacement put in, for each position in turn.
 */
function estimate(site: OpSite, recorded: Float64Array, parts: readonly Part[], instead: Instead): readonly number[] {
  const { heads, kvHeads, keyLength, valueLength } = site.config
  const end = site.first + 1
  const queries = site.ofLayer('attn_q_rope', site.first, 1)
  const keys = site.ofLayer('attn_k_rope', 0, end)
  const values = site.ofLayer('attn_v', 0, end)
  const errors = new Float64Array(end)
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor((head * kvHeads) / heads)
    const score = (rows: Float64Array, at: number) => {
      let sum = 0
      for (let i = 0; i < keyLength; i++) sum += queries[head * keyLength + i]! * rows[at + i]!
      return sum / Math.sqrt(keyLength)
    }
    const keyAt = (position: number) => (position * kvHeads + kvHead) * keyLength
    const valueAt = (position: number) => (position * kvHeads + kvHead) * valueLength
    const scores = Float64Array.from({ length: end }, (_, position) => score(keys, keyAt(position)))
    const largest = Math.max(...scores)
    const weights = scores.map((value) => Math.exp(value - largest))
    const sums = new Float64Array(valueLength)
    let total = 0
    for (let position = 0; position < end; position++) {
      total += weights[position]!
      for (let i = 0; i < valueLength; i++) sums[i]! += weights[position]! * values[valueAt(position) + i]!
    }
    for (let position = 1; position < end; position++) {
      const own = weights[position]!
      const otherScore = instead === 'zeros' ? 0 : scores[position - 1]!
      const weight = parts.includes('keys') ? Math.exp(otherScore - largest) : own
      for (let i = 0; i < valueLength; i++) {
        const value = values[valueAt(position) + i]!
        const other = instead === 'zeros' ? 0 : values[valueAt(position - 1) + i]!
        const given =
          (sums[i]! - own * value + weight * (parts.includes('values') ? other : value)) / (total - own + weight)
        errors[position]! += (given - recorded[head * valueLength + i]!) ** 2
      }
    }
  }
  let best = 1
  for (let position = 2; position < end; position++) if (errors[position]! < errors[best]!) best = position
  return end > 1 ? [best] : []
}

function ofOneRow(name: string, description: string, parts: readonly Part[], instead: Instead): Mistake {
  return {
    name,
    description,
    ops: ['attn_kqv'],
    parameters: () => [1],
    estimate: (site, recorded) => estimate(site, recorded, parts, instead),
    compute: (site, position) => (position < 1 ? undefined : compute(site, position, parts, instead)),
  }
}

/** Of one row of the cache, seen by every later query. */
export const CACHE_ROW_MISTAKES: readonly Mistake[] = [
  ofOneRow(
    'kv-row-stale',
    "finds the key and value of the position before in the cache's row of position",
    ['keys', 'values'],
    'row before',
  ),
  ofOneRow(
    'kv-key-stale',
    "finds the key of the position before in the cache's row of position",
    ['keys'],
    'row before',
  ),
  ofOneRow(
    'kv-value-stale',
    "finds the value of the position before in the cache's row of position",
    ['values'],
    'row before',
  ),
  ofOneRow('kv-row-missing', "finds zeros in the cache's row of position", ['keys', 'values'], 'zeros'),
  ofOneRow('kv-key-missing', "finds a key of zeros in the cache's row of position", ['keys'], 'zeros'),
  ofOneRow('kv-value-missing', "finds a value of zeros in the cache's row of position", ['values'], 'zeros'),
]
