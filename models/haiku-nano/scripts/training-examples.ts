import { composeHaiku, countSyllables, type HaikuRequest, heldOutWords, minuteWords, topics } from '../src/index.ts'
import { inventWord, readTrainingWords } from './training-words.ts'

/** Of all words asked for. The rest are English ones of any kind. */
export interface WordShares {
  readonly invented: number
  /** English words without an ending. */
  readonly plain: number
}

/** For the weights in the repository: of the first corpus, until 9.9 million positions, and of the second (README.md). */
export const wordShares = [
  { invented: 0.25, plain: 0 },
  { invented: 0.2, plain: 0.6 },
] as const satisfies WordShares[]

const mostSyllables = 4

const englishWords = readTrainingWords().filter((word) => countSyllables(word) <= mostSyllables)
// The held-out words are things, mostly: words without the usual endings are most like them.
const plainWords = englishWords.filter((word) => !/(?:s|ed|ing|ly|er|est|ness)$/.test(word))
const neverAsked = new Set([...heldOutWords, ...minuteWords])

/** One request with a haiku that answers it. */
export const composeTrainingExample = (
  random: () => number,
  shares: WordShares = wordShares[1],
): { request: HaikuRequest; haiku: string } => {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const draw = () => {
    const kind = random()
    if (kind < shares.invented) return inventWord(random)
    return pick(kind < shares.invented + shares.plain ? plainWords : englishWords)
  }
  let word: string
  do word = draw()
  while (neverAsked.has(word))
  const request = { topic: pick(topics), minuteWord: pick(minuteWords), word }
  return { request, haiku: composeHaiku(random, request) }
}
