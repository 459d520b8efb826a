import { composeHaiku, countSyllables, type HaikuRequest, heldOutWords, minuteWords, topics } from '../src/index.ts'
import { inventWord, readTrainingWords } from './training-words.ts'

const inventedShare = 0.2
const plainShare = 0.6
const mostSyllables = 4

const englishWords = readTrainingWords().filter((word) => countSyllables(word) <= mostSyllables)
// The held-out words are things, mostly: words without the usual endings are most like them.
const plainWords = englishWords.filter((word) => !/(?:s|ed|ing|ly|er|est|ness)$/.test(word))
const neverAsked = new Set([...heldOutWords, ...minuteWords])

/** One request with a haiku that answers it. */
export const composeTrainingExample = (random: () => number): { request: HaikuRequest; haiku: string } => {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const draw = () => {
    const kind = random()
    if (kind < inventedShare) return inventWord(random)
    return pick(kind < inventedShare + plainShare ? plainWords : englishWords)
  }
  let word: string
  do word = draw()
  while (neverAsked.has(word))
  const request = { topic: pick(topics), minuteWord: pick(minuteWords), word }
  return { request, haiku: composeHaiku(random, request) }
}
