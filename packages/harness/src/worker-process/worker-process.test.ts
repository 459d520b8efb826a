import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { committedAsset } from '@plumbline/protocol/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { fixtureWorker } from '../../test/helpers/run-harness.ts'
import { readProcessFacts } from '../probes/process-facts.ts'
import { acquireWorker } from './acquire-worker.ts'
import { waitUntil } from './process-identity.ts'
import { parseWorkerCommand, type WorkerCommand } from './worker-command.ts'
import { WorkerFailure } from './worker-failure.ts'
import { WorkerProcess } from './worker-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-harness-'))
afterAll(() => rmSync(folder, { recursive: true }))

function spawnFixture(command: WorkerCommand, readyLineTimeoutMs = 30_000, signal = new AbortController().signal) {
  return WorkerProcess.spawn({
    command,
    args: [],
    logPath: join(folder, 'worker.log'),
    readyLineTimeoutMs,
    graceMs: 500,
    signal,
  })
}

async function failureOf(promise: Promise<unknown>): Promise<WorkerFailure> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(WorkerFailure)
  return error as WorkerFailure
}

const gone = (pid: number) => waitUntil(async () => (await readProcessFacts(pid)) === undefined, 5_000)

describe('a worker that does not start', () => {
  test('a program that is not there', async () => {
    const failure = await failureOf(spawnFixture({ program: '/nowhere/worker', args: [], own: false }))
    expect(failure.kind).toBe('spawn')
    expect(failure.message).toContain('/nowhere/worker')
  })

  test('one that exits at once is told with its exit code and its last words', async () => {
    const failure = await failureOf(spawnFixture(fixtureWorker('exits-at-once')))
    expect(failure).toMatchObject({ kind: 'exited', facts: { exitCode: 7 } })
    expect(failure.facts.logTail?.join('\n')).toContain('the flux capacitor is missing')
    expect(readFileSync(join(folder, 'worker.log'), 'utf8')).toContain('the flux capacitor is missing')
  })

  test('one that prints no ready line is ended', async () => {
    const failure = await failureOf(spawnFixture(fixtureWorker('no-ready-line'), 1_000))
    expect(failure.kind).toBe('no-ready-line')
    expect(failure.message).toContain('1 s')
  })

  test('one that prints something else first', async () => {
    const failure = await failureOf(spawnFixture(fixtureWorker('chatty-stdout')))
    expect(failure).toMatchObject({ kind: 'bad-ready-line', facts: { line: 'Welcome to the worker!' } })
  })

  test('one that says that it cannot load its model', async () => {
    const line = JSON.stringify({ event: 'failed', code: 'INVALID_GGUF', message: 'the magic is GIF8' })
    const command = {
      program: process.execPath,
      args: ['-e', `console.log('${line}'); process.exitCode = 5`],
      own: false,
    }
    const failure = await failureOf(spawnFixture(command))
    expect(failure).toMatchObject({
      kind: 'load-failed',
      message: 'the magic is GIF8',
      facts: { code: 'INVALID_GGUF' },
    })
  })

  test('an interrupt ends the wait', async () => {
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 200)
    const failure = await failureOf(spawnFixture(fixtureWorker('no-ready-line'), 60_000, stop.signal))
    expect(failure.kind).toBe('interrupted')
  })
})

function acquireFixture(name: string, loadTimeoutMs: number) {
  return acquireWorker({
    source: { command: fixtureWorker(name), args: [] },
    token: undefined,
    folder,
    startTimeoutMs: 30_000,
    loadTimeoutMs,
    signal: new AbortController().signal,
    onStatus: () => {},
  })
}

test('a worker that is never healthy is given up with what it last said, and ended', async () => {
  const failure = await failureOf(acquireFixture('never-healthy', 500))
  expect(failure.kind).toBe('not-healthy')
  expect(failure.message).toContain('503')
  const { pid } = JSON.parse(readFileSync(join(folder, 'worker.log'), 'utf8').split('\n')[0]!)
  expect(await gone(pid)).toBe(true)
})

test('a worker that says `failed` while it loads ends the wait at once', async () => {
  const listening = `JSON.stringify({event:"listening",url:"http://127.0.0.1:9",pid:process.pid})`
  const failed = `JSON.stringify({event:"failed",code:"MODEL_LOAD_FAILED",message:"no room"})`
  const script = `console.log(${listening}); setTimeout(() => { console.log(${failed}); process.exit(5) }, 100)`
  const failure = await failureOf(
    acquireWorker({
      source: { command: { program: process.execPath, args: ['-e', script, '--'], own: false }, args: [] },
      token: undefined,
      folder,
      startTimeoutMs: 30_000,
      loadTimeoutMs: 60_000,
      signal: new AbortController().signal,
      onStatus: () => {},
    }),
  )
  expect(failure).toMatchObject({ kind: 'load-failed', message: 'no room', facts: { exitCode: 5 } })
})

test('reap leaves no orphan of a worker that ignores SIGTERM, nor of its children, and says so', {
  timeout: 60_000,
}, async () => {
  const worker = await spawnFixture(fixtureWorker('ignores-sigterm'))
  await waitUntil(() => worker.logTail().some((line) => line.startsWith('child ')), 5_000)
  const child = Number(
    worker
      .logTail()
      .find((line) => line.startsWith('child '))!
      .slice(6),
  )
  worker.remember('engine', child)
  expect(await readProcessFacts(child)).toMatchObject({ parentPid: worker.pid })
  const record = await worker.reap()
  expect(record.endedOnRequest).toBe(false)
  expect(record.processes).toEqual([
    { role: 'front', pid: worker.pid, gone: true, killed: true },
    { role: 'engine', pid: child, gone: true, killed: true },
  ])
  expect(await gone(worker.pid)).toBe(true)
  expect(await gone(child)).toBe(true)
  expect(await worker.reap()).toBe(record)
})

/** What the fixture leaves behind, once it has said so. */
async function childLeftBy(worker: WorkerProcess): Promise<number> {
  const said = () => worker.logTail().find((line) => line.startsWith('child '))
  expect(await waitUntil(() => said() !== undefined, 30_000)).toBe(true)
  return Number(said()!.slice(6))
}

test.skipIf(process.platform !== 'linux')(
  'reap leaves no orphan that left group, session and parent, and says that it had to be killed (Linux only)',
  { timeout: 60_000 },
  async () => {
    const model = committedAsset('stories260K/stories260K-f32.gguf')
    const { program, args } = fixtureWorker('leaves-a-child')
    const worker = await spawnFixture({ program, args: [...args, '--model', model], own: false })
    const child = await childLeftBy(worker)
    await waitUntil(async () => (await readProcessFacts(child))?.parentPid !== worker.pid, 5_000)
    const record = await worker.reap()
    expect(record.endedOnRequest).toBe(true)
    expect(record.processes).toContainEqual({ role: 'other', pid: child, gone: true, killed: true })
    expect(await gone(child)).toBe(true)
  },
)

test.skipIf(process.platform !== 'linux')(
  'an orphan of a worker that ended by itself is found too (Linux only)',
  { timeout: 60_000 },
  async () => {
    const script = `
      require('node:child_process').spawn('sh', ['-c', 'setsid sleep 600 & echo "child $!" >&2'], { stdio: 'inherit' })
      console.log(JSON.stringify({ event: 'listening', url: 'http://127.0.0.1:9', pid: process.pid }))
      setTimeout(() => process.exit(3), 500)`
    const worker = await spawnFixture({ program: process.execPath, args: ['-e', script], own: false })
    const child = await childLeftBy(worker)
    expect(await worker.exitWithin(30_000)).toMatchObject({ exitCode: 3 })
    const record = await worker.reap()
    expect(record.processes).toContainEqual({ role: 'other', pid: child, gone: true, killed: true })
    expect(await gone(child)).toBe(true)
  },
)

test('a process that the worker did not start is not touched, whatever the worker says', async () => {
  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  try {
    const worker = await spawnFixture(fixtureWorker('ignores-sigterm'))
    worker.remember('engine', bystander.pid!)
    worker.remember('engine', process.pid)
    worker.remember('engine', 1)
    const record = await worker.reap()
    expect(record.processes.map(({ role }) => role)).toEqual(['front', 'other'])
    expect(await readProcessFacts(bystander.pid!)).toBeDefined()
  } finally {
    bystander.kill('SIGKILL')
  }
})

test('parseWorkerCommand splits as a shell does', () => {
  expect(parseWorkerCommand(`node 'my worker.js' --name "a b"`)).toEqual({
    program: 'node',
    args: ['my worker.js', '--name', 'a b'],
    own: false,
  })
  expect(() => parseWorkerCommand('  ')).toThrow('--worker-command')
})
