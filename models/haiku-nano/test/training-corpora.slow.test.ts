import { expect, test } from 'vitest'
import { findInCorpora, haikuOfCorpus } from '../scripts/training-corpora.ts'
import { wordShares } from '../scripts/training-examples.ts'

test('a haiku of either corpus is found, and no other text', () => {
  const [first, second] = wordShares.map((shares) => [...haikuOfCorpus(shares, 1)][12_345]!)
  expect(first).not.toBe(second)
  // As a model may write them.
  const texts = [`${first}\n`, second!.toUpperCase(), `${first} again`, 'no haiku at all', '']
  expect(findInCorpora(texts, 1)).toEqual([first, second])
})
