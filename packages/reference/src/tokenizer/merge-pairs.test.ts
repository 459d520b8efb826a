import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergePairs } from './merge-pairs.ts'

const ranks: Readonly<Record<string, number>> = { aa: 2, ab: 1, aab: 0, bb: 3, aabb: 4 }
const rankOf = (left: string, right: string) => ranks[left + right] ?? Infinity

test.each([
  ['', []],
  ['a', ['a']],
  ['aaa', ['aa', 'a']],
  ['aab', ['aab']],
  ['abab', ['ab', 'ab']],
  ['aabbb', ['aab', 'bb']],
  ['xaay', ['x', 'aa', 'y']],
])('%s', (text, expected) => expect(mergePairs([...text], rankOf)).toEqual(expected))

test('keeps the text, and leaves no pair that could be merged', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'b', 'c') }), (text) => {
      const merged = mergePairs([...text], rankOf)
      expect(merged.join('')).toBe(text)
      for (const [i, symbol] of merged.slice(1).entries()) expect(rankOf(merged[i]!, symbol)).toBe(Infinity)
    }),
  )
})
