import { syllable } from 'syllable'
import { keyed, readLines } from './lists.ts'

/** Words that `syllable` counts otherwise than a dictionary does, mostly compounds: "homework", "crooked", "deer". */
const corrections: ReadonlyMap<string, number> = new Map(
  readLines('syllables.txt').map((line) => {
    const [word, count] = keyed(line)
    return [word, Number(count)]
  }),
)

const countWord = (word: string): number => corrections.get(word) ?? syllable(word)

// The generator asks for the same few thousand texts millions of times.
const counted = new Map<string, number>()
const countedLimit = 50_000

/**
 * English syllables in a text: the sum over its words, where a hyphen parts words ("fifty-four" is "fifty" and "four").
 * Spelling decides (npm `syllable`) except for the words of words/syllables.txt, so a rare word may be off by one.
 */
export const countSyllables = (text: string): number => {
  const known = counted.get(text)
  if (known !== undefined) return known
  const words = text.toLowerCase().match(/[a-z]+(?:'[a-z]+)*/g) ?? []
  const count = words.reduce((sum, word) => sum + countWord(word), 0)
  if (counted.size >= countedLimit) counted.clear()
  counted.set(text, count)
  return count
}
