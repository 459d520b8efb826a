import { keyed, readLines } from './lists.ts'
import { countSyllables } from './syllables.ts'
import { type Slot, topics, type Vocabulary, vocabularyOf } from './vocabulary.ts'

/** What a haiku is asked for: it shall be about `topic` and hold both words. */
export interface HaikuRequest {
  readonly topic: string
  readonly minuteWord: string
  readonly word: string
}

type LineKind = 'minute' | 'word' | 'scene'

/** A line pattern: text and slots in turn, `{m}` and `{w}` being slots too. */
type Pattern = readonly string[]

const patterns: Readonly<Record<LineKind, Pattern[]>> = { minute: [], word: [], scene: [] }
for (const line of readLines('patterns.txt')) {
  const [kind, pattern] = keyed(line)
  patterns[kind as LineKind].push(pattern.split(/(\{\w+\})/).filter((part) => part !== ''))
}

const orders: readonly (readonly LineKind[])[] = [
  ['minute', 'word', 'scene'],
  ['minute', 'scene', 'word'],
  ['word', 'minute', 'scene'],
  ['word', 'scene', 'minute'],
  ['scene', 'minute', 'word'],
  ['scene', 'word', 'minute'],
]
const syllablesOfLine = [5, 7, 5] as const
const triesPerLine = 2_000
const triesPerHaiku = 200

const pick = <T>(random: () => number, choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!

/** A pattern with its slots filled, in parts; "one" takes the singular of what follows it. */
const fill = (random: () => number, pattern: Pattern, vocabulary: Vocabulary, request: HaikuRequest): string[] => {
  const singular = request.minuteWord === 'one' && pattern.includes('{m}')
  return pattern.map((part) => {
    if (!part.startsWith('{')) return part
    if (part === '{m}') return request.minuteWord
    if (part === '{w}') return request.word
    const slot = part.slice(1, -1) as Slot
    if (singular && slot === 'plural') return pick(random, vocabulary.singular)
    if (singular && slot === 'verbs') return pick(random, vocabulary.verb)
    return pick(random, vocabulary[slot])
  })
}

const repeatsAWord = (words: readonly string[]): boolean => {
  const long = words.filter((word) => word.length > 3)
  return new Set(long).size < long.length
}

/** A line of that kind with so many syllables, or undefined where none was found. */
const line = (
  random: () => number,
  kind: LineKind,
  syllables: number,
  vocabulary: Vocabulary,
  request: HaikuRequest,
): string | undefined => {
  for (let attempt = 0; attempt < triesPerLine; attempt++) {
    const parts = fill(random, pick(random, patterns[kind]), vocabulary, request)
    if (parts.reduce((sum, part) => sum + countSyllables(part), 0) !== syllables) continue
    const text = parts.join('').replace(/\ba (?=[aeiou])/g, 'an ')
    if (!repeatsAWord(text.split(/[ -]/))) return text
  }
  return undefined
}

/**
 * One haiku as the model is trained to write it: three lines of 5, 7 and 5 syllables (by `countSyllables`), parted by
 * "\n", lower case, with both words in it exactly once.
 *
 * @param random uniform in [0, 1)
 * @throws RangeError where the topic is none of `topics`, or no line can hold the word (too many syllables)
 */
export const composeHaiku = (random: () => number, request: HaikuRequest): string => {
  const vocabulary = vocabularyOf(request.topic)
  if (vocabulary === undefined) {
    throw new RangeError(`topic is ${JSON.stringify(request.topic)}, must be one of ${topics.join(', ')}`)
  }
  for (let attempt = 0; attempt < triesPerHaiku; attempt++) {
    const order = pick(random, orders)
    const lines = order.map((kind, index) => line(random, kind, syllablesOfLine[index]!, vocabulary, request))
    if (lines.includes(undefined)) continue
    const words = lines.join(' ').split(' ')
    const once = (word: string) => words.filter((other) => other === word).length === 1
    if (once(request.minuteWord) && once(request.word) && !repeatsAWord(words)) return lines.join('\n')
  }
  throw new RangeError(`no haiku found that holds ${request.minuteWord} and ${request.word}`)
}
