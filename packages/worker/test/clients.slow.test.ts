import { expect, test } from 'vitest'
import { disconnectAgainAndAgain, lazyClient, wideRequest } from './helpers/clients.ts'
import { HAIKU_REQUESTS } from './helpers/engine-kills.ts'
import { Execution, fakeRequest } from './helpers/execute.ts'
import { fakeWorker, unhurriedWorker, until } from './helpers/spawn-worker.ts'

test('100 disconnects in a row stop the engine 100 times', async () => {
  const worker = await unhurriedWorker()
  await disconnectAgainAndAgain(worker, 100, HAIKU_REQUESTS.endless)
}, 240_000)

test.each([0, 20])(
  'a client that stops reading costs at most 256 KiB, with logprobs: %i',
  async (logprobs) => {
    const worker = await fakeWorker(['--max-queue', '100', '--client-stall-sec', '3600'], {
      environment: { NODE_OPTIONS: '--expose-gc --max-semi-space-size=1' },
    })
    let jobs = 0
    const park = async (clients: number) => {
      for (let n = 0; n < clients; n++) lazyClient(worker, { ...wideRequest(), logprobs })
      jobs += clients
      await until(async () => (await worker.metric('queue_wait_seconds_count')) === jobs, 240_000)
      await until(async () => (await worker.health()).queue.active === 0)
      return worker.memoryWithoutGarbage()
    }
    const warm = await park(16)
    const after = await park(64)
    expect((await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))).terminals).toMatchObject([{ type: 'end' }])
    expect(after - warm).toBeLessThan(64 * 256 * 1024)
  },
  600_000,
)
