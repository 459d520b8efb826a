import { expect, test } from 'vitest'
import { disconnectAgainAndAgain } from './helpers/clients.ts'
import { HAIKU_REQUESTS, killAgainAndAgain } from './helpers/engine-kills.ts'
import { residentBytes, unhurriedWorker } from './helpers/spawn-worker.ts'

const HALF_AN_HOUR = 1_800_000

test(
  '500 engine processes killed in a row',
  async () => {
    const worker = await unhurriedWorker()
    await killAgainAndAgain(worker, 500, HAIKU_REQUESTS)
    expect((await worker.health()).engine.restarts).toBe(500)
  },
  HALF_AN_HOUR,
)

test(
  '2,000 disconnects in a row, and the front process does not grow',
  async () => {
    const worker = await unhurriedWorker()
    await disconnectAgainAndAgain(worker, 200, HAIKU_REQUESTS.endless)
    const warm = residentBytes(worker.child.pid!)
    await disconnectAgainAndAgain(worker, 1_800, HAIKU_REQUESTS.endless)
    expect(residentBytes(worker.child.pid!) - warm).toBeLessThan(64 * 1024 * 1024)
  },
  HALF_AN_HOUR,
)
