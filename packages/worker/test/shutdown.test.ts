import { expect, test } from 'vitest'
import { Execution, fakeRequest } from './helpers/execute.ts'
import { fakeWorker, isAlive, spawnFakeWorker, until } from './helpers/spawn-worker.ts'

const endless = () => fakeRequest({ tokens: 1, ending: 'go-on' })

test('SIGTERM lets jobs end, refuses new ones, and leaves nothing behind', async () => {
  const worker = await fakeWorker(['--drain-timeout-sec', '60'])
  const { engine } = await worker.health()
  const running = await Execution.start(worker.url, fakeRequest({ tokens: 2, onSignal: true }))
  const waiting = await Execution.start(worker.url, fakeRequest({ tokens: 20 }))
  await until(() => running.events.length === 1)
  process.kill(engine.pid!, 'SIGUSR2')
  await running.untilTokens(1)
  worker.child.kill('SIGTERM')
  await until(async () => (await worker.health()).status === 'shutting_down')

  const refused = await fetch(`${worker.url}/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fakeRequest({ tokens: 1 })),
  })
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'SHUTTING_DOWN' }])
  expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  expect((await fetch(`${worker.url}/health`)).status).toBe(503)

  process.kill(engine.pid!, 'SIGUSR2') // its second and last token
  await Promise.all([running.ended, waiting.ended])
  expect(running.terminals).toMatchObject([{ type: 'end', tokens_out: 2 }])
  expect(waiting.terminals).toMatchObject([{ type: 'end', tokens_out: 20 }])
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  expect(isAlive(engine.pid!)).toBe(false)
  expect(worker.log.at(-1)).toMatchObject({ msg: 'request', outcome: 'completed' })
})

test('jobs that outlast --drain-timeout-sec end with SHUTTING_DOWN, running or waiting', async () => {
  const worker = await fakeWorker(['--drain-timeout-sec', '0.3'])
  const running = await Execution.start(worker.url, endless())
  const waiting = await Execution.start(worker.url, endless())
  await running.untilTokens(1)
  worker.child.kill('SIGTERM')
  await Promise.all([running.ended, waiting.ended])
  expect(running.terminals).toMatchObject([{ type: 'error', code: 'SHUTTING_DOWN', retriable: true }])
  expect(waiting.events).toMatchObject([{ type: 'error', code: 'SHUTTING_DOWN' }])
  expect(await worker.exited).toEqual({ code: 0, signal: null })
})

test('a second SIGTERM hurries', async () => {
  const worker = await fakeWorker(['--drain-timeout-sec', '3600'])
  const running = await Execution.start(worker.url, endless())
  await running.untilTokens(1)
  worker.child.kill('SIGTERM')
  await until(async () => (await worker.health()).status === 'shutting_down')
  worker.child.kill('SIGTERM')
  await running.ended
  expect(running.terminals).toMatchObject([{ type: 'error', code: 'SHUTTING_DOWN' }])
  expect(await worker.exited).toEqual({ code: 0, signal: null })
})

test('an engine that does not listen is ended all the same', async () => {
  const worker = await fakeWorker(['--drain-timeout-sec', '0', '--engine-stall-sec', '3600'])
  const { engine } = await worker.health()
  const running = await Execution.start(worker.url, fakeRequest({ tokens: 1, ending: 'busy' }))
  await running.untilTokens(1)
  worker.child.kill('SIGTERM')
  await running.ended
  expect(running.terminals).toMatchObject([{ type: 'error', code: 'SHUTTING_DOWN' }])
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  expect(isAlive(engine.pid!)).toBe(false)
})

test('SIGTERM while the model is loading ends the worker at once', async () => {
  const worker = spawnFakeWorker([], { load: { ms: 60_000 } })
  await worker.waitFor('listening')
  worker.child.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  expect(worker.lines.map((line) => line.event)).toEqual(['listening'])
})
