import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callbackSchema } from '@plumbline/protocol'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { fakeRequest } from './helpers/execute.ts'
import { fakeModel, fakeWorker, SpawnedWorker, spawnFakeWorker, until } from './helpers/spawn-worker.ts'

let folder: string
let model: ReturnType<typeof fakeModel>
beforeAll(() => {
  model = fakeModel()
  folder = mkdtempSync(join(tmpdir(), 'plumbline-worker-test-'))
  writeFileSync(join(folder, 'token'), 'correct-horse\n')
  writeFileSync(join(folder, 'short'), 'x\n')
  writeFileSync(join(folder, 'text.gguf'), 'this is no model')
})
afterAll(() => {
  model.remove()
  rmSync(folder, { recursive: true })
})

describe('what is wrong ends the process before anything listens, with one line', () => {
  test.each<[string, string[], RegExp]>([
    ['no model', [], /^--model is missing, must be/],
    ['a model that is not there', ['--model', '/nowhere.gguf'], /^--model is "\/nowhere.gguf", must be/],
    ['a model that is no GGUF', ['--model', '$FOLDER/text.gguf'], /^--model is ".*text.gguf", must be a GGUF file/],
    [
      'a port that is none',
      ['--model', '$MODEL', '--port', 'x'],
      /^--port is "x", must be an integer from 0 to 65535$/,
    ],
    ['an unknown option', ['--colour', 'blue'], /^unknown option '--colour'/],
    ['an option without its value', ['--model', '$MODEL', '--port'], /^option '--port <N>' argument missing/],
    ['an argument nobody asked for', ['serve', 'x'], /^too many arguments/],
  ])('%s', async (_name, args, line) => {
    const given = args.map((arg) => arg.replace('$FOLDER', folder).replace('$MODEL', model.path))
    const worker = new SpawnedWorker(given)
    expect(await worker.exited).toEqual({ code: 2, signal: null })
    expect(worker.stdout).toBe('')
    const [first, ...rest] = worker.stderr.split('\n')
    expect(rest).toEqual([''])
    expect(first!.replace(/^plumbline-worker: /, '')).toMatch(line)
  })

  test('an environment variable is named with its option', async () => {
    const worker = new SpawnedWorker([], { PLUMBLINE_MAX_QUEUE: 'many' })
    expect(await worker.exited).toEqual({ code: 2, signal: null })
    expect(worker.stderr).toMatch(
      /^plumbline-worker: --max-queue \(PLUMBLINE_MAX_QUEUE\) is "many", must be an integer/,
    )
  })

  test('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await until(() => server.listening)
    const { port } = server.address() as AddressInfo
    // A driver that never answers: the port is looked at before the device.
    const worker = spawnFakeWorker(['--port', String(port)], { load: { silentDevice: true } })
    expect(await worker.exited).toEqual({ code: 2, signal: null })
    expect(worker.stderr).toBe(
      `plumbline-worker: --port is "${port}", must be a port that is free and allowed (EADDRINUSE)\n`,
    )
    expect(worker.stdout).toBe('')
  })

  test('a device that is not there', async () => {
    const worker = spawnFakeWorker(['--device', 'cuda:0'], { load: { noDevice: true } })
    expect(await worker.exited).toEqual({ code: 5, signal: null })
    expect(worker.stderr).toMatch(/^plumbline-worker: --device is "cuda:0", must be [^\n]+\n$/)
    expect(worker.stdout).toBe('')
  })
})

test('--print-config shows every value and where it comes from, and no secret', async () => {
  const worker = new SpawnedWorker(['--print-config', '--port', '7', '--api-token-file', join(folder, 'token')], {
    PLUMBLINE_PRECISION: 'exact',
    PLUMBLINE_PORT: '8',
    PLUMBLINE_GPU_DEVICE: '3',
  })
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  const lines = worker.stdout.split('\n').map((line) => line.split(/ {2,}| (?=command|environment|default)/))
  const shown = new Map(lines.map(([flag, value, source]) => [flag?.trim(), [value?.trim(), source]]))
  expect(shown.get('--port')).toEqual(['7', 'command line'])
  expect(shown.get('--precision')).toEqual(['exact', 'environment'])
  expect(shown.get('--device')).toEqual(['cuda:3', 'environment'])
  expect(shown.get('--max-queue')).toEqual(['64', 'default'])
  expect(shown.get('--api-token-file')).toEqual(['(set)', 'command line'])
  expect(worker.stdout).not.toContain('correct-horse')
})

test('--help and --version end with 0', async () => {
  const help = new SpawnedWorker(['--help'])
  const version = new SpawnedWorker(['--version'])
  expect((await help.exited).code).toBe(0)
  expect((await version.exited).code).toBe(0)
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  for (const command of ['serve', 'trace', 'inspect', 'models', 'pull']) expect(help.stdout).toContain(command)
})

test('while it loads: 503 with progress, and an honest Retry-After', async () => {
  const worker = spawnFakeWorker([], { load: { ms: 30_000 } })
  onTestFinished(async () => void (await worker.stop()))
  await worker.waitFor('listening')
  await until(async () => ((await worker.health()).progress ?? 0) > 0)
  const health = await worker.health()
  expect(health).toMatchObject({ status: 'loading', architecture: null, resident: false, engine: { state: 'loading' } })
  const response = await fetch(`${worker.url}/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fakeRequest({ tokens: 1 })),
  })
  expect([response.status, await response.json()]).toMatchObject([503, { code: 'LOADING', retriable: true }])
  expect(response.headers.get('retry-after')).toMatch(/^([1-9]|[1-5]\d|60)$/)
})

test('the lines on stdout: listening, then ready', async () => {
  const worker = await fakeWorker([], { load: { ms: 300 } })
  expect(worker.lines).toMatchObject([
    { event: 'listening', url: worker.url, pid: worker.child.pid },
    { event: 'ready', url: worker.url, model: 'fake', device: 'cpu' },
  ])
  expect((await worker.health()).status).toBe('healthy')
})

test.each([
  ['reports an error', { error: true, ms: 100 }, 'MODEL_LOAD_FAILED'],
  ['crashes', { crash: true }, 'ENGINE_CRASHED'],
])('an engine that %s while it loads ends the worker with 5', async (_name, load, code) => {
  const worker = spawnFakeWorker([], { load })
  expect(await worker.exited).toEqual({ code: 5, signal: null })
  expect(worker.lines.at(-1)).toMatchObject({ event: 'failed', code })
})

test('with a token: needed everywhere but for /health and /livez', async () => {
  const worker = await fakeWorker(['--api-token-file', join(folder, 'token')])
  const ask = (path: string, authorization?: string) =>
    fetch(worker.url + path, { headers: authorization === undefined ? {} : { authorization } })
  for (const path of ['/metrics', '/', '/execute', '/nowhere']) {
    for (const wrong of [undefined, 'Bearer wrong-horse', 'Bearer', 'Basic correct-horse', 'Bearer correct-horse-2']) {
      const response = await ask(path, wrong)
      expect([response.status, await response.json()]).toMatchObject([401, { code: 'UNAUTHORIZED' }])
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
    }
  }
  expect((await ask('/metrics', 'Bearer correct-horse')).status).toBe(200)
  expect((await ask('/metrics', 'bearer correct-horse')).status).toBe(200)
  expect((await ask('/health')).status).toBe(200)
  expect((await ask('/livez')).status).toBe(200)
  expect(worker.stderr).not.toContain('horse')
})

test('the callback is retried until it is taken, and redirects are not followed', async () => {
  const bodies: unknown[] = []
  const paths: string[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    paths.push(request.url!)
    bodies.push(JSON.parse(text))
    if (bodies.length === 1) response.writeHead(500).end()
    else if (bodies.length === 2) response.writeHead(307, { location: '/elsewhere' }).end()
    else response.writeHead(204).end()
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await until(() => server.listening)
  const { port } = server.address() as AddressInfo

  const worker_id = '7f0c5f0e-33b4-4c43-9d2a-3f6f0ab5c1de'
  const worker = await fakeWorker([
    '--callback-url',
    `http://127.0.0.1:${port}/ready?key=s3cret`,
    '--worker-id',
    worker_id,
  ])
  await until(() => bodies.length === 3)
  expect(paths).toEqual(Array(3).fill('/ready?key=s3cret'))
  expect(callbackSchema.parse(bodies[2])).toMatchObject({ worker_id, url: worker.url, model: 'fake', device: 'cpu' })
  await until(() => worker.stderr.includes('callback delivered'))
  expect(worker.stderr).not.toContain('s3cret')
})

test('a driver that does not answer is given up after five seconds, by the name of the option', async () => {
  const worker = spawnFakeWorker([], { load: { silentDevice: true } })
  expect(await worker.exited).toEqual({ code: 5, signal: null })
  expect(worker.stdout).toBe('')
  expect(worker.stderr).toMatch(/--device is "auto", must be .*: the device did not answer within \d+\.\d s\n$/)
})

test('SIGTERM while the device is being probed ends the process as it does later', async () => {
  const worker = spawnFakeWorker([], { load: { silentDevice: true } })
  await until(() => worker.stderr.includes('waiting for a driver'))
  worker.child.kill('SIGTERM')
  expect(await worker.exited).toEqual({ code: 0, signal: null })
  expect(worker.stdout).toBe('')
})
