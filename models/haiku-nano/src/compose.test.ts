import { describe, expect, test } from 'vitest'
import { seededRandom } from '../scripts/seeded-random.ts'
import { composeHaiku, countSyllables, type HaikuRequest, heldOutWords, minuteWords, topics } from './index.ts'

/** `count` requests that go through all topics and minute words, with words of all kinds. */
const requests = (count: number): HaikuRequest[] =>
  Array.from({ length: count }, (_, index) => ({
    topic: topics[index % topics.length]!,
    minuteWord: minuteWords[(index * 7) % minuteWords.length]!,
    word: heldOutWords[(index * 37) % heldOutWords.length]!,
  }))

const words = (text: string) => text.split(/\s/)

describe('5,000 haiku', () => {
  const random = seededRandom(1)
  const asked = requests(5_000)
  const haiku = asked.map((request) => composeHaiku(random, request))

  test('each has lines of 5, 7 and 5 syllables', () => {
    expect(haiku.filter((text) => text.split('\n').map(countSyllables).join() !== '5,7,5')).toEqual([])
  })

  test('each holds both words exactly once', () => {
    for (const [index, text] of haiku.entries()) {
      for (const word of [asked[index]!.minuteWord, asked[index]!.word]) {
        expect(
          words(text).filter((other) => other === word),
          text,
        ).toHaveLength(1)
      }
    }
  })

  test('each is lower case, with single spaces and without punctuation', () => {
    for (const text of haiku) expect(text).toMatch(/^[a-z-]+(?:[ \n][a-z-]+)*$/)
  })

  test('the word follows a space, so it is spelled with the same tokens as in the prompt', () => {
    for (const [index, text] of haiku.entries()) expect(text).toContain(` ${asked[index]!.word}`)
  })

  test('"a" and "an" fit what follows', () => {
    expect(haiku.filter((text) => /\ba [aeiou]|\ban [^aeiou]/.test(text.replaceAll('\n', ' ')))).toEqual([])
  })

  test('they are different', () => {
    expect(new Set(haiku).size).toBe(haiku.length)
  })
})

test('1,000 haiku for one request: at least 950 are different', () => {
  const random = seededRandom(2)
  const request = { topic: 'autumn', minuteWord: 'fifty-four', word: 'lantern' }
  expect(new Set(Array.from({ length: 1_000 }, () => composeHaiku(random, request))).size).toBeGreaterThanOrEqual(950)
})

test('every topic has room for the longest words', () => {
  const random = seededRandom(3)
  for (const topic of topics) composeHaiku(random, { topic, minuteWord: 'twenty-seven', word: 'avocado' })
})

test('"one" is followed by a singular', () => {
  const random = seededRandom(4)
  const texts = Array.from({ length: 300 }, () =>
    composeHaiku(random, { topic: 'harbor', minuteWord: 'one', word: 'lantern' }),
  )
  expect(
    texts.filter((text) => /\bone (?:\S+ )?(?:trawlers|anchors|nets|ropes|masts|buoys|sailors)/.test(text)),
  ).toEqual([])
})

test('the same random numbers compose the same haiku', () => {
  const request = { topic: 'sea', minuteWord: 'six', word: 'lantern' }
  expect(composeHaiku(seededRandom(5), request)).toBe(composeHaiku(seededRandom(5), request))
})

test('an unknown topic and a word that no line can hold are errors that say so', () => {
  const request = { topic: 'sea', minuteWord: 'six', word: 'lantern' }
  expect(() => composeHaiku(Math.random, { ...request, topic: 'taxes' })).toThrow(
    /topic is "taxes", must be one of rain,/,
  )
  expect(() => composeHaiku(Math.random, { ...request, word: 'incomprehensibilities' })).toThrow(RangeError)
  expect(() => composeHaiku(Math.random, { ...request, word: 'six' })).toThrow('six and six')
})
