import { expect, test } from 'vitest'
import { killAgainAndAgain } from './helpers/engine-kills.ts'
import { fakeWorker } from './helpers/spawn-worker.ts'

test('50 engine processes killed in a row: one terminal event each, and healthy each time', async () => {
  const worker = await fakeWorker()
  await killAgainAndAgain(worker, 50)
  expect((await worker.health()).engine.restarts).toBe(50)
}, 120_000)
