/**
 * Byte-pair encoding (Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016):
 * joins two neighbouring symbols, over and over, each time the pair of the lowest rank, of equals the leftmost; until every pair's
 * rank is Infinity.
 */
export function mergePairs(symbols: readonly string[], rankOf: (left: string, right: string) => number): string[] {
  const merged = [...symbols]
  const rankAt = (index: number) =>
    index >= 0 && index + 1 < merged.length ? rankOf(merged[index]!, merged[index + 1]!) : Infinity
  /** ranks[i] is that of the pair (i, i + 1). */
  const ranks = merged.map((_, index) => rankAt(index))
  while (true) {
    let best = 0
    for (let i = 1; i < ranks.length; i++) if (ranks[i]! < ranks[best]!) best = i
    if (ranks.length === 0 || ranks[best] === Infinity) return merged
    merged.splice(best, 2, merged[best]! + merged[best + 1]!)
    ranks.splice(best, 1)
    ranks[best] = rankAt(best)
    if (best > 0) ranks[best - 1] = rankAt(best - 1)
  }
}
