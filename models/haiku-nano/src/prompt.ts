import type { HaikuRequest } from './compose.ts'

/** The user's message that asks for a haiku; the model knows no other way of asking. */
export const haikuPrompt = ({ topic, minuteWord, word }: HaikuRequest): string =>
  `Haiku about ${topic} with ${minuteWord} and ${word}`
