import { haikuPrompt } from '@plumbline/haiku-nano'

/** How a model is asked for a haiku. */
export type Wording = (parts: { readonly topic: string; readonly minuteWord: string; readonly word: string }) => string

/** For any model that follows instructions. */
export const plainWording: Wording = ({ topic, minuteWord, word }) =>
  `Write a haiku about ${topic} with the words "${minuteWord}" and "${word}" in it.`

/** `basename`: general.basename of the model's file. haiku-nano knows one way of asking, and no other. */
export function wordingFor(basename: unknown): Wording {
  return basename === 'haiku-nano' ? haikuPrompt : plainWording
}
