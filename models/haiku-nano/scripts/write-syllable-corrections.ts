/**
 * Writes words/syllables.txt: the words of our lists (and of training) that npm `syllable` counts otherwise than every pronunciation in
 * the CMU Pronouncing Dictionary does, with the count of the first pronunciation. Words that the dictionary lacks stay as they are.
 */
import { writeFileSync } from 'node:fs'
import { dictionary } from 'cmu-pronouncing-dictionary'
import { syllable } from 'syllable'
import { packagePath, readLines } from '../src/lists.ts'
import { readTrainingWords } from './training-words.ts'

/** Compounds that the dictionary lacks. */
const byHand: Readonly<Record<string, number>> = { fencepost: 2, fenceposts: 2, hedgerow: 2 }

const lists = ['held-out.txt', 'topics.txt', 'common.txt', 'patterns.txt'].flatMap(readLines)
const words = new Set([...lists.join(' ').matchAll(/[a-z]+/g)].map(([word]) => word))
for (const word of readTrainingWords()) words.add(word)

const countsOf = (word: string): number[] =>
  [word, ...[2, 3, 4].map((variant) => `${word}(${variant})`)]
    .map((key) => dictionary[key]?.match(/\d/g)?.length)
    .filter((count) => count !== undefined)

const rows = [...words].sort().flatMap((word) => {
  const counts = word in byHand ? [byHand[word]!] : countsOf(word)
  return counts.length === 0 || counts.includes(syllable(word)) ? [] : [`${word} ${counts[0]}`]
})
const title =
  '# Made by scripts/write-syllable-corrections.ts: words that npm `syllable` counts otherwise, and their syllables.'
writeFileSync(packagePath('words/syllables.txt'), `${[title, ...rows].join('\n')}\n`)
