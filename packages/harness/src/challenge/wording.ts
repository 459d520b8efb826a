import { haikuPrompt } from '@plumbline/haiku-nano'

/** How a model is asked for a haiku. */
export type Wording = (parts: { readonly topic: string; readonly minuteWord: string; readonly word: string }) => string

/** For any model that follows instructions. */
export const plainWording: Wording = ({ topic, minuteWord, word }) =>
  `Write a haiku about ${topic} with the words "${minuteWord}" and "${word}" in it.`

/** `name`: what the model's file calls it (general.name). haiku-nano knows one way of asking, and no other. */
export function wordingFor(name: string): Wording {
  return name.startsWith('haiku-nano') ? haikuPrompt : plainWording
}
