import { countWord, heldOutWords, minuteWords, topics } from '@plumbline/haiku-nano'
import { expect, test } from 'vitest'
import { makeChallenge } from './challenge.ts'
import { plainWording } from './wording.ts'

test('a challenge holds its minute, a held-out word and a topic, and asks for both words', () => {
  const challenge = makeChallenge(plainWording, new Date('2026-03-01T23:54:59.999Z'))
  expect(challenge.minuteWord).toBe('fifty-four')
  expect(heldOutWords).toContain(challenge.word)
  expect(topics).toContain(challenge.topic)
  expect(countWord(challenge.prompt, 'fifty-four')).toBe(1)
  expect(countWord(challenge.prompt, challenge.word)).toBe(1)
  expect(challenge.nonce).toMatch(/^[0-9a-f]{32}$/)
  expect(BigInt(challenge.seed)).toBeLessThan(2n ** 64n)
})

test('the minute is the UTC minute, from zero to fifty-nine', () => {
  expect(minuteWords).toHaveLength(60)
  expect(makeChallenge(plainWording, new Date('2026-03-01T23:00:30Z')).minuteWord).toBe('zero')
  expect(makeChallenge(plainWording, new Date('2026-03-01T23:59:59Z')).minuteWord).toBe('fifty-nine')
})

test('there are at least 2,000 words to draw from, and draws do not repeat themselves', () => {
  expect(new Set(heldOutWords).size).toBeGreaterThanOrEqual(2_000)
  const challenges = Array.from({ length: 200 }, () => makeChallenge(plainWording))
  expect(new Set(challenges.map((challenge) => challenge.nonce)).size).toBe(200)
  expect(new Set(challenges.map((challenge) => challenge.seed)).size).toBe(200)
  // 200 draws from 2,000 repeat about ten times; fewer than 100 different ones is no draw at all.
  expect(new Set(challenges.map((challenge) => challenge.word)).size).toBeGreaterThan(100)
})
