import { items, keyed, readLines } from './lists.ts'

/** What can fill a slot of a line pattern, by the slot's name. */
export type Slot = 'singular' | 'plural' | 'mass' | 'place' | 'adjective' | 'quality' | 'verb' | 'verbs' | 'time'
export type Vocabulary = Readonly<Record<Slot, readonly string[]>>

const common: Record<'adjective' | 'quality' | 'verb' | 'verbs' | 'time', string[]> = {
  adjective: [],
  quality: [],
  verb: [],
  verbs: [],
  time: [],
}
for (const line of readLines('common.txt')) {
  const [key, value] = keyed(line)
  if (key === 'verb') {
    for (const pair of items(value)) {
      const [singular, plural] = pair.split('/')
      common.verb.push(singular!)
      common.verbs.push(plural!)
    }
  } else common[key as 'adjective' | 'quality' | 'time'].push(...items(value))
}

const byTopic = new Map<string, Vocabulary>()
let current: Record<Slot, readonly string[]> | undefined
for (const line of readLines('topics.txt')) {
  const [key, value] = keyed(line)
  if (key === 'topic') {
    current = { ...common, singular: [], plural: [], mass: [], place: [] }
    byTopic.set(value, current)
  } else current![key as Slot] = items(value)
}

/** What a haiku can be asked to be about. */
export const topics: readonly string[] = [...byTopic.keys()]

/** The words for one topic, or undefined where it is none of `topics`. */
export const vocabularyOf = (topic: string): Vocabulary | undefined => byTopic.get(topic)
