import { expect, test } from 'vitest'
import { minuteWords } from './minute-words.ts'
import { countSyllables } from './syllables.ts'

test.each([
  ['zero', 2],
  ['one', 1],
  ['seven', 2],
  ['eleven', 3],
  ['seventeen', 3],
  ['twenty', 2],
  ['fifty-four', 3],
  ['Fifty-Seven', 4],
  ['lantern', 2],
  ['an old silent pond', 5],
  ['a frog jumps into the pond', 7],
  ['splash! Silence again.', 5],
  ['', 0],
])('%j has %i', (text, syllables) => {
  expect(countSyllables(text)).toBe(syllables)
})

test('what the library miscounts is corrected', () => {
  expect(['homework', 'crooked', 'deer', 'pigeon', 'wishes', 'hedgerow'].map(countSyllables)).toEqual([
    2, 2, 1, 2, 2, 2,
  ])
})

test('a compound number has the syllables of its parts', () => {
  expect(minuteWords).toHaveLength(60)
  for (const word of minuteWords.filter((minute) => minute.includes('-'))) {
    const [tens, unit] = word.split('-')
    expect(countSyllables(word)).toBe(countSyllables(tens!) + countSyllables(unit!))
  }
})
