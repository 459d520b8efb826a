import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT } from '@plumbline/protocol'
import { committedAsset } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { readProcessFacts } from '../src/probes/process-facts.ts'
import { waitUntil } from '../src/worker-process/process-identity.ts'
import { WorkerProcess } from '../src/worker-process/worker-process.ts'
import { childrenOf, fixtureCommand, fixtureWorker, runHarness, startHarness } from './helpers/run-harness.ts'

const model = committedAsset('stories260K/stories260K-f32.gguf')
const haiku = (fixture: string, ...args: string[]) => [
  'haiku',
  '--model',
  model,
  '--worker-command',
  fixtureCommand(fixture),
  ...args,
]

describe('a worker that cannot be asked: exit 5, the cause, and what to do', { timeout: 120_000 }, () => {
  test.each([
    ['exits-at-once', 'exit code 7', 'flux capacitor'],
    ['no-ready-line', 'no ready line within 2 s', '--start-timeout'],
    ['never-healthy', 'not healthy within 2 s', '--load-timeout'],
  ])('%s', async (fixture, cause, advice) => {
    const { exitCode, stderr, stdout } = await runHarness(haiku(fixture, '--start-timeout', '2', '--load-timeout', '2'))
    expect(exitCode).toBe(EXIT.couldNotRun)
    // Lines are wrapped where they are.
    const told = stderr.replace(/\s+/g, ' ')
    expect(told).toContain(cause)
    expect(told).toContain(advice)
    expect(stdout).toBe('')
  })

  test('a URL where nobody is', async () => {
    const { exitCode, stderr } = await runHarness(['haiku', '--model', model, '--url', 'http://127.0.0.1:9'])
    expect(exitCode).toBe(EXIT.couldNotRun)
    expect(stderr).toContain('ECONNREFUSED')
  })
})

test.each([
  [['haiku', '--model', '/nowhere.gguf'], '--model'],
  [['haiku', '--model', '/'], 'a folder'],
  [['haiku', '--device', 'gpu'], '--device'],
  [['haiku', '--runs', '0'], '--runs'],
  [['haiku', '--url', 'ftp://x'], '--url'],
  [['haiku', '--url', 'http://x', '--worker-command', 'y'], '--worker-command'],
])('usage: %j is refused with exit 2', async (args, named) => {
  const { exitCode, stderr } = await runHarness(args)
  expect(exitCode).toBe(EXIT.usage)
  expect(stderr).toContain(named)
})

test.each([
  ['a file that is no model', committedAsset('README.md'), EXIT.couldNotRun, 'INVALID_GGUF'],
  ['a folder', '/', EXIT.usage, 'a folder'],
])('--json prints an object for %s too', async (_, path, code, cause) => {
  const { exitCode, stdout } = await runHarness(['haiku', '--json', '--model', path])
  expect(exitCode).toBe(code)
  expect(JSON.parse(stdout)).toMatchObject({ exit_code: code, diagnosis: { cause: expect.stringContaining(cause) } })
})

test.each(['SIGINT', 'SIGQUIT'] as const)(
  '%s ends the worker and its engine too',
  {
    timeout: 120_000,
  },
  async (signal) => {
    const harness = startHarness(haiku('never-healthy'))
    const pids = await childrenOf(harness.pid)
    expect(pids.length).toBeGreaterThan(0)
    harness.kill(signal)
    const { exitCode, stderr } = await harness.result
    expect(exitCode).toBe(EXIT.couldNotRun)
    expect(stderr).toContain('told to stop')
    for (const pid of pids) expect(await readProcessFacts(pid)).toBeUndefined()
  },
)

test.each([
  [['haiku', '--json', '--runs', '0'], '--runs'],
  [['haiku', '--json', '--bogus'], '--bogus'],
  [['--json', 'haikus'], 'json'],
])('--json prints an object for a command line that cannot be read too: %j', async (args, named) => {
  const { exitCode, stdout } = await runHarness(args)
  expect(exitCode).toBe(EXIT.usage)
  const diagnosis = { cause: expect.stringContaining(named) }
  expect(JSON.parse(stdout)).toMatchObject({ version: 1, exit_code: EXIT.usage, diagnosis, artifacts: null })
})

test('an interrupt keeps what was recorded until then', { timeout: 120_000 }, async () => {
  const harness = startHarness(haiku('silent-stream'))
  expect(await waitUntil(() => harness.stderr().includes('attempt 1: a haiku'), 60_000)).toBe(true)
  await sleep(500)
  harness.kill('SIGINT')
  const { exitCode, artifacts } = await harness.result
  expect(exitCode).toBe(EXIT.couldNotRun)
  const [run] = readdirSync(join(artifacts, 'haiku'))
  const transcript = readFileSync(join(artifacts, 'haiku', run!, 'sse_transcript.ndjson'), 'utf8')
    .trim()
    .split('\n')
  expect(JSON.parse(transcript[0]!)).toMatchObject({ purpose: 'haiku', attempt: 1 })
  expect(JSON.parse(transcript.at(-1)!)).toMatchObject({ kind: 'close', how: 'broken' })
})

test('a second interrupt does not wait for a worker that will not go, and still leaves nothing behind', async () => {
  const harness = startHarness(haiku('ignores-sigterm'))
  const [front] = await childrenOf(harness.pid)
  const engines = await childrenOf(front!)
  harness.kill('SIGINT')
  await sleep(500)
  expect(await readProcessFacts(front!)).toBeDefined()
  harness.kill('SIGINT')
  const { exitCode } = await harness.result
  expect(exitCode).toBe(EXIT.couldNotRun)
  for (const pid of [front!, ...engines]) {
    expect(await waitUntil(async () => (await readProcessFacts(pid)) === undefined, 5_000)).toBe(true)
  }
})

test('with --url the inside is not measurable, and the rest still counts', { timeout: 120_000 }, async () => {
  const worker = await WorkerProcess.spawn({
    command: fixtureWorker('honest'),
    args: ['--model', model],
    logPath: '/dev/null',
    readyLineTimeoutMs: 60_000,
    graceMs: 10_000,
    signal: new AbortController().signal,
  })
  try {
    const { stdout } = await runHarness(['haiku', '--model', model, '--url', worker.url, '--attempts', '1', '--json'])
    const { verdicts, genuine } = JSON.parse(stdout)
    expect(verdicts.genuine).toBe('pass')
    const unmeasured = genuine.filter((check: { verdict: string }) => check.verdict !== 'pass')
    expect(unmeasured.map((check: { name: string; verdict: string }) => [check.name, check.verdict])).toEqual([
      ['process', 'not measurable'],
      ['memory', 'not measurable'],
    ])
  } finally {
    await worker.reap()
  }
})

test('--runs makes as many runs on one worker, and a summary', { timeout: 120_000 }, async () => {
  const { stdout, exitCode, artifacts } = await runHarness(
    haiku('honest', '--runs', '2', '--attempts', '1', '--replay-seconds', '1'),
  )
  expect(exitCode).toBe(EXIT.judgedFailed)
  expect(stdout).toContain('genuine in 2 of 2 runs, a haiku in 0')
  // What a report names lies where it says.
  const [runs] = readdirSync(join(artifacts, 'haiku'))
  const folder = join(artifacts, 'haiku', runs!, 'run-002')
  const [, evidence] = readFileSync(join(folder, 'report.md'), 'utf8').split('## The evidence')
  const named = [...evidence!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
  expect(named).toContain('../worker.log')
  for (const name of named) expect(existsSync(join(folder, name)), name).toBe(true)
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120)
})

test('haiku-rate counts, and says nothing about genuineness', { timeout: 120_000 }, async () => {
  const { stdout, exitCode } = await runHarness(['haiku-rate', '--challenges', '2', ...haiku('honest').slice(1)])
  expect(exitCode).toBe(EXIT.ok)
  const summary = JSON.parse(stdout)
  expect(summary).toMatchObject({ challenges: 2, unfinished: 0, words: 0, distinct: 2 })
  expect(stdout).not.toContain('genuine')
})

test('haiku-rate with answers that never end could not run: exit 5', { timeout: 120_000 }, async () => {
  const args = ['haiku-rate', '--challenges', '1', ...haiku('no-terminal-event').slice(1)]
  const { stdout, exitCode } = await runHarness(args)
  expect(exitCode).toBe(EXIT.couldNotRun)
  expect(JSON.parse(stdout)).toMatchObject({ challenges: 1, unfinished: 1, words: null })
})
