import type { ModelConfig } from './config.ts'
import type { KvCache } from './kv-cache.ts'

/**
 * Causal grouped-query attention: softmax(q k / sqrt(keyLength)) v over the positions up to the query's own (Vaswani et al., arXiv
 * 1706.03762, section 3.2.1; Ainslie et al., arXiv 2305.13245).
 * queries: [count, heads * keyLength], the first at `firstPosition`; result [count, heads * valueLength], before the output
 * projection. The cache holds keys and values of all positions up to the last query.
 */
export function attention(
  config: ModelConfig,
  queries: Float64Array,
  cache: KvCache,
  firstPosition: number,
): Float64Array {
  const { heads, kvHeads, keyLength, valueLength } = config
  const count = queries.length / (heads * keyLength)
  const scale = 1 / Math.sqrt(keyLength)
  const result = new Float64Array(count * heads * valueLength)
  // Padded: scores come four at a time.
  const weights = new Float64Array(firstPosition + count + 3)
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor(head / (heads / kvHeads))
    for (let row = 0; row < count; row++) {
      const seen = firstPosition + row + 1
      const query = (row * heads + head) * keyLength
      scores(queries, query, cache.keys, kvHead * keyLength, cache.keyWidth, keyLength, scale, weights, seen)
      softmax(weights, seen)
      const out = (row * heads + head) * valueLength
      weightedSum(weights, seen, cache.values, kvHead * valueLength, cache.valueWidth, valueLength, result, out)
    }
  }
  return result
}

/** weights[j] = scale * (query . key j), for j < seen; four sums side by side for speed, each in the order of i. */
function scores(
  queries: Float64Array,
  query: number,
  keys: Float64Array,
  firstKey: number,
  keyWidth: number,
  keyLength: number,
  scale: number,
  weights: Float64Array,
  seen: number,
): void {
  for (let j = 0; j < seen; j += 4) {
    const k0 = firstKey + j * keyWidth
    const k1 = firstKey + Math.min(j + 1, seen - 1) * keyWidth
    const k2 = firstKey + Math.min(j + 2, seen - 1) * keyWidth
    const k3 = firstKey + Math.min(j + 3, seen - 1) * keyWidth
    let s0 = 0
    let s1 = 0
    let s2 = 0
    let s3 = 0
    for (let i = 0; i < keyLength; i++) {
      const q = queries[query + i]!
      s0 += q * keys[k0 + i]!
      s1 += q * keys[k1 + i]!
      s2 += q * keys[k2 + i]!
      s3 += q * keys[k3 + i]!
    }
    // Beyond `seen`, inside the padding of `weights`, the last score stands again; nobody reads it.
    weights[j] = s0 * scale
    weights[j + 1] = s1 * scale
    weights[j + 2] = s2 * scale
    weights[j + 3] = s3 * scale
  }
}

function softmax(weights: Float64Array, length: number): void {
  let largest = -Infinity
  for (let j = 0; j < length; j++) largest = Math.max(largest, weights[j]!)
  let total = 0
  for (let j = 0; j < length; j++) {
    weights[j] = Math.exp(weights[j]! - largest)
    total += weights[j]!
  }
  for (let j = 0; j < length; j++) weights[j]! /= total
}

/** result[out + i] += weights[j] * value j [i], for all j < seen in their order; four a pass for speed. */
function weightedSum(
  weights: Float64Array,
  seen: number,
  values: Float64Array,
  firstValue: number,
  valueWidth: number,
  valueLength: number,
  result: Float64Array,
  out: number,
): void {
  let j = 0
  for (; j + 4 <= seen; j += 4) {
    const w0 = weights[j]!
    const w1 = weights[j + 1]!
    const w2 = weights[j + 2]!
    const w3 = weights[j + 3]!
    const v0 = firstValue + j * valueWidth
    const v1 = v0 + valueWidth
    const v2 = v1 + valueWidth
    const v3 = v2 + valueWidth
    for (let i = 0; i < valueLength; i++) {
      let sum = result[out + i]! + w0 * values[v0 + i]!
      sum += w1 * values[v1 + i]!
      sum += w2 * values[v2 + i]!
      result[out + i] = sum + w3 * values[v3 + i]!
    }
  }
  for (; j < seen; j++) {
    const value = firstValue + j * valueWidth
    for (let i = 0; i < valueLength; i++) result[out + i]! += weights[j]! * values[value + i]!
  }
}
