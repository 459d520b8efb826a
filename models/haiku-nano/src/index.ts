import { packagePath, readLines } from './lists.ts'

export { composeHaiku, type HaikuRequest } from './compose.ts'
export { minuteWords } from './minute-words.ts'
export { haikuPrompt } from './prompt.ts'
export { countSyllables } from './syllables.ts'
export { topics } from './vocabulary.ts'
export { countWord, linesOf, wordsOf } from './word-matching.ts'

/** Common English words that no training text and no word list of the generator holds. */
export const heldOutWords: readonly string[] = readLines('held-out.txt')

/** How the harness samples by default, in the terms of a request to the worker. */
export const defaultSampling = { temperature: 0.6, top_k: 0, top_p: 1, min_p: 0.1, repetition_penalty: 1 } as const

/** The default model's file. */
export const haikuNanoPath: string = packagePath('haiku-nano-q8_0.gguf')
