import { expect, test } from 'vitest'
import { judgeNoise } from './noise.ts'

const rounds = (seconds: readonly number[], lost: readonly number[] = seconds.map(() => 0)) =>
  seconds.map((value, i) => ({ seconds: value, lost: lost[i]! }))

test('a machine that takes the same time in each round is quiet', () => {
  expect(judgeNoise(rounds([1, 1.02, 1.05, 1.01, 1.03]))).toMatchObject({ noisy: false })
})

test('one disturbed round of many is left to the medians', () => {
  expect(judgeNoise(rounds([1, 1, 1, 1, 1, 1, 3], [0, 0, 0, 0, 0, 0, 0.6]))).toEqual({
    noisy: false,
    slowdown: 0,
    lost: 0,
  })
})

test('a quarter of the rounds slower by more than 10 % is noise', () => {
  const verdict = judgeNoise(rounds([1, 1, 1, 1.2, 1.2]))
  expect(verdict.noisy).toBe(true)
  expect(verdict.slowdown).toBeCloseTo(0.2)
})

test('steady company is noise too: all rounds are as slow, but they lose time to others', () => {
  expect(judgeNoise(rounds([2, 2, 2], [0.5, 0.5, 0.5]))).toEqual({ noisy: true, slowdown: 0, lost: 0.5 })
})
