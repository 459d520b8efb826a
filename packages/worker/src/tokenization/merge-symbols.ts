import type { PairTable } from './pair-table.ts'

/**
 * The merge loop that byte-pair encoding (Sennrich et al., "Neural Machine Translation of Rare Words with Subword
 * Units", ACL 2016) and SentencePiece's BPE have in common: of all adjacent pairs merge the one of lowest rank, the
 * leftmost among equals, until none is left that merges. A heap makes it O(n log n): a text without spaces is one word.
 *
 * @param symbols token ids, at most 2^22; an id below 0 is no token and never merges
 * @returns the ids left, in order
 */
export function mergeSymbols(symbols: readonly number[], pairs: PairTable): number[] {
  if (symbols.length < 2) return [...symbols]
  const ids = [...symbols]
  const count = ids.length
  const next = new Int32Array(count)
  const previous = new Int32Array(count)
  // Of the pair that begins at each symbol; -1: it does not merge. A heap entry of another rank is stale.
  const ranks = new Int32Array(count)
  const heap = new MinHeap()

  const rankPair = (left: number): void => {
    const right = next[left]!
    const rank = right < count && ids[left]! >= 0 && ids[right]! >= 0 ? pairs.rank(ids[left]!, ids[right]!) : -1
    ranks[left] = rank
    if (rank >= 0) heap.push(rank * MAX_SYMBOLS + left)
  }

  for (let index = 0; index < count; index++) {
    next[index] = index + 1
    previous[index] = index - 1
    rankPair(index)
  }
  for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
    const left = key % MAX_SYMBOLS
    if (ranks[left] !== (key - left) / MAX_SYMBOLS) continue
    const right = next[left]!
    ids[left] = pairs.merged(ids[left]!, ids[right]!)
    ranks[right] = -1
    next[left] = next[right]!
    if (next[left]! < count) previous[next[left]!] = left
    rankPair(left)
    if (previous[left]! >= 0) rankPair(previous[left]!)
  }
  const merged: number[] = []
  for (let index = 0; index < count; index = next[index]!) merged.push(ids[index]!)
  return merged
}

// Rank and position as one number, exact in a double: 2^31 ranks of 2^22 positions.
const MAX_SYMBOLS = 2 ** 22

class MinHeap {
  readonly #keys: number[] = []

  push(key: number): void {
    const keys = this.#keys
    let index = keys.length
    keys.push(key)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (keys[parent]! <= key) break
      keys[index] = keys[parent]!
      index = parent
    }
    keys[index] = key
  }

  pop(): number | undefined {
    const keys = this.#keys
    const smallest = keys[0]
    const key = keys.pop()
    if (key === undefined || keys.length === 0) return smallest
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= keys.length) break
      if (child + 1 < keys.length && keys[child + 1]! < keys[child]!) child++
      if (keys[child]! >= key) break
      keys[index] = keys[child]!
      index = child
    }
    keys[index] = key
    return smallest
  }
}
