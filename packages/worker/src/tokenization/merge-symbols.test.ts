import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mergeSymbols } from './merge-symbols.ts'
import { PairTable } from './pair-table.ts'

interface Merge {
  readonly left: number
  readonly right: number
  readonly rank: number
  readonly merged: number
}

/** As the definition says: look through all pairs for the best one, merge it, begin again. */
function mergeNaively(symbols: readonly number[], merges: readonly Merge[]): number[] {
  const ids = [...symbols]
  for (;;) {
    let best: { at: number; merge: Merge } | undefined
    for (let at = 0; at + 1 < ids.length; at++) {
      const merge = merges.find(({ left, right }) => left === ids[at] && right === ids[at + 1])
      if (merge !== undefined && (best === undefined || merge.rank < best.merge.rank)) best = { at, merge }
    }
    if (best === undefined) return ids
    ids.splice(best.at, 2, best.merge.merged)
  }
}

function tableOf(merges: readonly Merge[]): PairTable {
  const pairs = new PairTable(merges.length)
  for (const { left, right, rank, merged } of merges) pairs.add(left, right, rank, merged)
  return pairs
}

const id = fc.nat(7)
// Ranks repeat: SentencePiece has tokens of equal score, and two ways to the same token.
const merges = fc.array(fc.record({ left: id, right: id, rank: fc.nat(5), merged: id }), { maxLength: 30 })

describe('mergeSymbols', () => {
  it('merges as the definition does, for any merges and symbols', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -2, max: 7 }), { maxLength: 40 }), merges, (symbols, merges) => {
        expect(mergeSymbols(symbols, tableOf(merges))).toEqual(mergeNaively(symbols, merges))
      }),
      { numRuns: 2_000 },
    )
  })

  it('takes the leftmost of equals', () => {
    const pairs = tableOf([{ left: 0, right: 0, rank: 0, merged: 1 }])
    expect(mergeSymbols([0, 0, 0], pairs)).toEqual([1, 0])
  })

  it('leaves its argument as it is', () => {
    const symbols = [0, 0]
    mergeSymbols(symbols, tableOf([{ left: 0, right: 0, rank: 0, merged: 1 }]))
    expect(symbols).toEqual([0, 0])
  })
})

describe('PairTable', () => {
  it('finds what was added, the first of a pair added twice, and nothing else', () => {
    const entry = fc.record({ left: fc.nat(300_000), right: fc.nat(300_000), rank: fc.nat(), merged: fc.nat() })
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 200 }), fc.nat(300_000), fc.nat(300_000), (entries, left, right) => {
        const pairs = tableOf(entries)
        for (const entry of [...entries, { left, right }]) {
          const first = entries.find((other) => other.left === entry.left && other.right === entry.right)
          expect(pairs.rank(entry.left, entry.right)).toBe(first?.rank ?? -1)
          expect(pairs.merged(entry.left, entry.right)).toBe(first?.merged ?? -1)
        }
      }),
    )
  })
})
