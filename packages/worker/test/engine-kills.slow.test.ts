import { describe, expect, test } from 'vitest'
import { FAKE_REQUESTS, HAIKU_REQUESTS, killAgainAndAgain } from './helpers/engine-kills.ts'
import { fakeWorker, unhurriedWorker } from './helpers/spawn-worker.ts'

describe('50 engine processes killed in a row: one terminal event each, and healthy each time', () => {
  test.each([
    ['the fake engine', () => fakeWorker(), FAKE_REQUESTS],
    ['haiku-nano', () => unhurriedWorker(), HAIKU_REQUESTS],
  ] as const)(
    '%s',
    async (_name, start, requests) => {
      const worker = await start()
      const recoveries = await killAgainAndAgain(worker, 50, requests)
      expect((await worker.health()).engine.restarts).toBe(50)
      // 500 ms and the time to load are the goal, and bench measures it; ten times as much is a defect.
      expect(Math.max(...recoveries)).toBeLessThan(10_000)
    },
    240_000,
  )
})
