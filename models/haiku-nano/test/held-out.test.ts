import { expect, test } from 'vitest'
import { seededRandom } from '../scripts/seeded-random.ts'
import { composeTrainingExample } from '../scripts/training-examples.ts'
import { readTrainingWords } from '../scripts/training-words.ts'
import { haikuPrompt, heldOutWords, minuteWords } from '../src/index.ts'
import { readLines } from '../src/lists.ts'

const heldOut = new Set(heldOutWords)
const heldOutIn = (text: string) => (text.match(/[a-z]+/g) ?? []).filter((word) => heldOut.has(word))

test('at least 2,000 different words of 3 to 12 letters', () => {
  expect(heldOut.size).toBe(heldOutWords.length)
  expect(heldOut.size).toBeGreaterThanOrEqual(2_000)
  expect(heldOutWords.filter((word) => !/^[a-z]{3,12}$/.test(word))).toEqual([])
})

test('no list or pattern of the generator holds one', () => {
  expect(heldOutIn(['topics.txt', 'common.txt', 'patterns.txt'].flatMap(readLines).join(' '))).toEqual([])
  expect(heldOutIn(minuteWords.join(' '))).toEqual([])
})

test('training asks for none of them, nor for their plurals', () => {
  const trained = new Set(readTrainingWords())
  expect(trained.size).toBeGreaterThan(20_000)
  expect(heldOutWords.filter((word) => trained.has(word) || trained.has(`${word}s`))).toEqual([])
})

test('5,000 training examples hold none of them', () => {
  const random = seededRandom(0)
  for (let count = 0; count < 5_000; count++) {
    const { request, haiku } = composeTrainingExample(random)
    expect(heldOutIn(`${haikuPrompt(request)} ${haiku}`.toLowerCase())).toEqual([])
  }
})
