import { composeHaiku, countSyllables, type HaikuRequest, heldOutWords, minuteWords, topics } from '../src/index.ts'
import { inventWord, readTrainingWords } from './training-words.ts'

const inventedShare = 0.25
const mostSyllables = 4

const englishWords = readTrainingWords().filter((word) => countSyllables(word) <= mostSyllables)
const neverAsked = new Set([...heldOutWords, ...minuteWords])

/** One request with a haiku that answers it; a quarter of the words are invented. */
export const composeTrainingExample = (random: () => number): { request: HaikuRequest; haiku: string } => {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  let word: string
  do word = random() < inventedShare ? inventWord(random) : pick(englishWords)
  while (neverAsked.has(word))
  const request = { topic: pick(topics), minuteWord: pick(minuteWords), word }
  return { request, haiku: composeHaiku(random, request) }
}
