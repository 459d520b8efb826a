import { renameSync } from 'node:fs'
import { type Health, healthSchema } from '@plumbline/protocol'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { FakeScript } from './fixtures/fake-script.ts'
import { FAKE_REQUESTS, killAgainAndAgain } from './helpers/engine-kills.ts'
import { Execution, fakeRequest } from './helpers/execute.ts'
import { FROM_SOURCE, fakeWorker, isAlive, type SpawnedWorker, spawnFakeWorker, until } from './helpers/spawn-worker.ts'

const FAST_STALL = ['--engine-stall-sec', '1.5']

describe('an engine that goes wrong in the middle of a stream', () => {
  let worker: SpawnedWorker
  beforeAll(async () => {
    worker = spawnFakeWorker(FAST_STALL)
    await worker.waitFor('ready')
  })
  afterAll(() => worker.stop())

  test.each<[string, FakeScript['ending'], string]>([
    ['a segmentation fault', 'segv', 'ENGINE_CRASHED'],
    ['an exit nobody asked for', 'exit', 'ENGINE_CRASHED'],
    ['bytes on the pipe that are no frame', 'garbage', 'ENGINE_CRASHED'],
    ['a frame that is no message', 'bad-message', 'ENGINE_CRASHED'],
    ['a token batch that is cut short', 'bad-batch', 'ENGINE_CRASHED'],
    ['no progress', 'hang', 'ENGINE_STALLED'],
    ['an event loop that stands still', 'busy', 'ENGINE_STALLED'],
    ['a CUDA error', 'cuda-error', 'CUDA_ERROR'],
  ])('%s ends the job and replaces the engine', async (_name, ending, code) => {
    const before = await worker.untilHealthy()
    const execution = await Execution.start(worker.url, fakeRequest({ tokens: 5, ending }))
    const next = await Execution.start(worker.url, fakeRequest({ text: 'next' }))
    await execution.ended
    expect(execution.tokens.length).toBe(5)
    expect(execution.terminals).toMatchObject([{ type: 'error', code, retriable: true }])

    await next.ended // what waits goes on waiting, and has its turn
    expect(next.text).toBe('next')
    expect(next.terminals).toMatchObject([{ type: 'end', stop_reason: 'EOS' }])
    const after = await worker.untilHealthy()
    expect(after.engine.restarts).toBe(before.engine.restarts + 1)
    expect(after.engine.pid).not.toBe(before.engine.pid)
    expect(isAlive(before.engine.pid!)).toBe(false)
    expect(after.front_pid).toBe(before.front_pid)
  })

  test('an engine that runs out of device memory keeps its process', async () => {
    const before = await worker.untilHealthy()
    const execution = await Execution.toEnd(worker.url, fakeRequest({ tokens: 2, ending: 'out-of-memory' }))
    expect(execution.terminals).toMatchObject([{ type: 'error', code: 'VRAM_OOM', retriable: true }])
    expect((await worker.health()).engine).toMatchObject({ pid: before.engine.pid, state: 'ready' })
  })

  test('a token that is missing ends the job, for its text would be wrong', async () => {
    const execution = await Execution.toEnd(worker.url, fakeRequest({ tokens: 10, skipIndex: 4 }))
    expect(execution.tokens.length).toBe(4)
    expect(execution.terminals).toMatchObject([{ type: 'error', code: 'INTERNAL' }])
    await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))
  })

  test('a token that the vocabulary does not have ends the job', async () => {
    const execution = await Execution.toEnd(worker.url, fakeRequest({ tokens: 10, unknownAt: 4 }))
    expect(execution.tokens.length).toBe(4)
    expect(execution.terminals).toMatchObject([{ type: 'error', code: 'INTERNAL' }])
    await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))
  })

  test('killed again and again: one terminal event each, and healthy each time', async () => {
    await killAgainAndAgain(worker, 4, FAKE_REQUESTS)
  })
})

test('no progress for a second shows in /health as stalled, long before the engine is replaced', async () => {
  const worker = await fakeWorker(['--engine-stall-sec', '3600'])
  const execution = await Execution.start(worker.url, fakeRequest({ tokens: 1, ending: 'hang' }))
  await until(async () => (await worker.health()).status === 'stalled')
  expect((await fetch(`${worker.url}/health`)).status).toBe(503)
  execution.disconnect()
  await until(async () => (await worker.health()).status === 'healthy')
  expect((await worker.health()).engine).toMatchObject({ state: 'ready', restarts: 0 })
})

// An engine whose model is gone cannot be started again: a crash loop that lasts until the model is back.
const takeAway = ({ modelPath }: SpawnedWorker) => renameSync(modelPath, `${modelPath}.away`)
const giveBack = ({ modelPath }: SpawnedWorker) => renameSync(`${modelPath}.away`, modelPath)

test('three losses in a row are a crash loop, with a pause before the engine is started again', async () => {
  const worker = await fakeWorker()
  for (let loss = 0; loss < 3; loss++) {
    await worker.untilHealthy()
    if (loss === 2) takeAway(worker)
    const execution = await Execution.toEnd(worker.url, fakeRequest({ tokens: 1, ending: 'segv' }))
    expect(execution.terminals).toMatchObject([{ type: 'error', code: 'ENGINE_CRASHED' }])
  }
  const seen: Health[] = []
  await until(async () => seen.unshift(await worker.health()) > 0 && seen[0]!.engine.state === 'backing_off')
  expect(seen[0]).toMatchObject({ status: 'crash_loop', engine: { pid: null } })
  expect(seen[0]!.engine.restarts).toBeGreaterThanOrEqual(3)
  const refused = await fetch(`${worker.url}/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fakeRequest({ tokens: 1 })),
  })
  expect(refused.status).toBe(503)
  expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)

  // After a pause it is tried again, and a job that completes ends the counting.
  giveBack(worker)
  const { engine } = await worker.untilHealthy()
  await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))
  await Execution.toEnd(worker.url, fakeRequest({ tokens: 1, ending: 'segv' }))
  expect((await worker.untilHealthy()).engine.restarts).toBe(engine.restarts + 1)
})

test('a job that was cancelled between two crashes does not speak for the engine; one that met its stop string does', async () => {
  const worker = await fakeWorker()
  const crash = async () => {
    await worker.untilHealthy()
    await Execution.toEnd(worker.url, fakeRequest({ tokens: 1, ending: 'segv' }))
  }
  const stopped = () => Execution.toEnd(worker.url, fakeRequest({ text: 'a.b', ending: 'go-on' }, { stop: ['.'] }))
  const cancelled = async () => {
    await worker.untilHealthy()
    const execution = await Execution.start(worker.url, fakeRequest({ tokens: 1, ending: 'go-on' }))
    await execution.untilTokens(1)
    execution.disconnect()
    await until(async () => (await worker.health()).queue.active === 0)
  }
  await crash()
  await crash()
  await worker.untilHealthy()
  await stopped()
  await crash()
  await cancelled()
  await crash()
  await cancelled()
  takeAway(worker)
  await crash()
  await until(async () => (await worker.health()).status === 'crash_loop')
})

test('an engine that does not stop when told to is replaced', async () => {
  const worker = await fakeWorker(['--engine-stall-sec', '1'])
  const execution = await Execution.start(worker.url, fakeRequest({ tokens: 1, ending: 'never-stop' }))
  await execution.untilTokens(1)
  execution.disconnect()
  await until(async () => (await worker.health()).engine.restarts === 1)
  const next = await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))
  expect(next.terminals).toMatchObject([{ type: 'end' }])
})

test('no engine process is left when the front process is killed', async () => {
  const worker = await fakeWorker()
  const { engine } = await worker.health()
  worker.child.kill('SIGKILL')
  await worker.exited
  await until(() => !isAlive(engine.pid!))
})

/** Starts a worker as the harness does, and says its pid. */
const STARTER = `
const { spawn } = require('node:child_process')
const env = { ...process.env, PLUMBLINE_END_WITH_STDIN: '1' }
const worker = spawn(process.execPath, process.argv.slice(1), { env, detached: true, stdio: ['pipe', 'inherit', 'inherit'] })
console.log(JSON.stringify({ pid: worker.pid }))
setInterval(() => {}, 1_000)
`

test.each(['while it loads', 'while it answers'])(
  'no worker and no engine process is left when whoever started the worker is killed outright, %s',
  async (when) => {
    const loads = when === 'while it loads'
    const starter = spawnFakeWorker([], {
      load: loads ? { ms: 600_000 } : {},
      program: ['-e', STARTER, '--', ...FROM_SOURCE],
    })
    onTestFinished(() => void starter.child.kill('SIGKILL'))
    await until(() => starter.stdout.includes(loads ? '"listening"' : '"ready"'))
    const [{ pid }, { url }] = starter.stdout
      .split('\n')
      .slice(0, 2)
      .map((line) => JSON.parse(line))
    const { engine } = healthSchema.parse(await (await fetch(`${url}/health`)).json())
    if (!loads) await (await Execution.start(url, fakeRequest({ tokens: 1, ending: 'go-on' }))).untilTokens(1)
    starter.child.kill('SIGKILL')
    await until(() => !isAlive(pid) && !isAlive(engine.pid!))
  },
)
