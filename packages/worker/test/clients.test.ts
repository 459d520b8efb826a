import { expect, test } from 'vitest'
import { disconnectAgainAndAgain, lazyClient, wideRequest } from './helpers/clients.ts'
import { FAKE_REQUESTS } from './helpers/engine-kills.ts'
import { Execution, fakeRequest } from './helpers/execute.ts'
import { fakeWorker, until } from './helpers/spawn-worker.ts'

test('a client that disconnects stops the engine, every time', async () => {
  const worker = await fakeWorker()
  await disconnectAgainAndAgain(worker, 10, FAKE_REQUESTS.endless)
})

test('a client that disconnects while it waits leaves the queue', async () => {
  const worker = await fakeWorker()
  const first = await Execution.start(worker.url, fakeRequest({ tokens: 1, ending: 'go-on' }))
  const second = await Execution.start(worker.url, fakeRequest({ tokens: 1 }))
  await until(async () => (await worker.health()).queue.waiting === 1)
  second.disconnect()
  await until(async () => (await worker.health()).queue.waiting === 0)
  expect(await worker.accessLine(second.correlationId)).toMatchObject({ outcome: 'client_disconnected', tokens_out: 0 })
  first.disconnect()
})

test('a client that stops reading does not hold up the engine', async () => {
  const worker = await fakeWorker()
  lazyClient(worker, wideRequest())
  await until(async () => (await worker.metric('queue_wait_seconds_count')) === 1)
  expect((await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))).terminals).toMatchObject([{ type: 'end' }])
})

test('a client that reads slowly gets everything', async () => {
  const worker = await fakeWorker()
  const socket = lazyClient(worker, wideRequest())
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
    socket.pause()
    setTimeout(() => socket.resume(), 1)
  })
  socket.resume()
  await until(() => text.slice(-1_000).includes('event: end'), 60_000)
  expect(text.match(/event: token/g)!.length).toBe(2_048)
  expect(await worker.accessLine('lazy')).toMatchObject({ outcome: 'completed', tokens_out: 2_048 })
})

test('a client that takes nothing for --client-stall-sec loses its connection', async () => {
  const worker = await fakeWorker(['--client-stall-sec', '0.3'])
  const socket = lazyClient(worker, wideRequest())
  const closed = new Promise((resolve) => socket.on('close', resolve))
  const line = await worker.accessLine('lazy')
  expect(line).toMatchObject({ outcome: 'client_stalled', status: 200 })
  expect(await worker.metric('requests_total{outcome="client_stalled"}')).toBe(1)
  let text = ''
  socket.on('data', (chunk) => (text += chunk)).resume()
  await closed
  expect(text.match(/event: (end|error)/g)?.length ?? 0).toBeLessThanOrEqual(1)
  expect((await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))).terminals).toMatchObject([{ type: 'end' }])
})
