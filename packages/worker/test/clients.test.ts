import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { disconnectAgainAndAgain, lazyClient, WIDE, wideRequest } from './helpers/clients.ts'
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
  const socket = lazyClient(worker, { ...wideRequest(), logprobs: 20 })
  // By now what the client has not taken lies in the worker.
  await until(async () => (await worker.metric('queue_wait_seconds_count')) === 1)
  await until(async () => (await worker.health()).queue.active === 0)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
    socket.pause()
    setTimeout(() => socket.resume(), 1)
  })
  socket.resume()
  await until(() => text.slice(-1_000).includes('event: end'), 60_000)
  const indices = Array.from(text.matchAll(/"type":"token","i":(\d+)/g), ([, index]) => Number(index))
  expect(indices).toEqual(Array.from({ length: 2_048 }, (_, index) => index))
  expect(await worker.accessLine('lazy')).toMatchObject({ outcome: 'completed', tokens_out: 2_048 })
})

describe('a client that ends its side of the connection', () => {
  test.each([
    ['while its job runs', 0],
    ['while its job waits', 1],
  ])('%s loses its job, and reads why: exactly one terminal event', async (_name, jobsBefore) => {
    const worker = await fakeWorker()
    const endless = () => fakeRequest({ tokens: 1, ending: 'go-on' })
    for (let n = 0; n < jobsBefore; n++) await Execution.start(worker.url, endless())
    const socket = lazyClient(worker, endless())
    let text = ''
    socket.on('data', (chunk) => (text += chunk)).resume()
    const closed = new Promise((resolve) => socket.on('close', resolve))
    const held = async () => {
      const { active, waiting } = (await worker.health()).queue
      return active + waiting
    }
    await until(async () => (await held()) === jobsBefore + 1)
    socket.end()
    await closed
    expect(text.match(/event: (end|error)\n/g)).toEqual(['event: error\n'])
    expect(text).toContain('"code":"CANCELLED"')
    await until(async () => (await held()) === jobsBefore)
    expect(await worker.accessLine('lazy')).toMatchObject({ outcome: 'client_disconnected', status: 200 })
  })

  test('is answered all the same where there is no job', async () => {
    const worker = await fakeWorker()
    const socket = connect(Number(new URL(worker.url).port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk))
    socket.end('GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
    await new Promise((resolve) => socket.on('close', resolve))
    expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n/)
    expect(text).toContain('"status":"healthy"')
  })
})

describe('a client that takes nothing for --client-stall-sec', () => {
  const stalled = async () => {
    const worker = await fakeWorker(['--client-stall-sec', '0.3'])
    const socket = lazyClient(worker, fakeRequest({ ...WIDE, ending: 'go-on' }, { max_tokens: 2_048 }))
    let text = ''
    socket.on('data', (chunk) => (text += chunk)).pause()
    const closed = new Promise((resolve) => socket.on('close', resolve))
    await until(async () => (await worker.metric('queue_wait_seconds_count')) === 1)
    await until(async () => (await worker.health()).queue.active === 0) // the job would go on for ever
    return { worker, socket, closed, text: () => text }
  }

  test('loses its job, and if it reads at last, it reads why: exactly one terminal event', async () => {
    const { worker, socket, text } = await stalled()
    socket.resume()
    await until(() => text().endsWith('\r\n0\r\n\r\n')) // the end of a chunked body
    expect(text().match(/event: (end|error)\n/g)).toEqual(['event: error\n'])
    expect(text()).toContain('"code":"CANCELLED"')
    expect(await worker.accessLine('lazy')).toMatchObject({ outcome: 'client_stalled', status: 200 })
    expect((await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))).terminals).toMatchObject([{ type: 'end' }])
  })

  test('loses its connection', async () => {
    const { worker, socket, closed } = await stalled()
    expect(await worker.accessLine('lazy')).toMatchObject({ outcome: 'client_stalled', status: 200 })
    expect(await worker.metric('requests_total{outcome="client_stalled"}')).toBe(1)
    socket.resume()
    await closed
  })
})
