import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, describe, expect, test } from 'vitest'
import { Execution } from './helpers/execute.ts'
import { HAIKU_NANO, STORIES_260K } from './helpers/models.ts'
import { AS_SHIPPED, realWorker } from './helpers/spawn-worker.ts'

// What the other tests run is src/. These run what `build` made of it, by the command that is shipped.
const plumblineWorker = (...args: string[]) => execa(process.execPath, [...AS_SHIPPED, ...args], { reject: false })

const folder = mkdtempSync(join(tmpdir(), 'plumbline-bundle-'))
afterAll(() => rmSync(folder, { recursive: true }))

const MODEL = readFileSync(STORIES_260K)

function file(name: string, bytes: Buffer): string {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}

/** The model with `to` in the place of `from`, which is found behind `after`. */
function altered(name: string, after: string, from: string, to: string): string {
  const bytes = Buffer.from(MODEL)
  bytes.write(to, bytes.indexOf(from, bytes.indexOf(after)))
  return file(name, bytes)
}

const renamed = altered('renamed.gguf', '', 'blk.0.ffn_up.weight', 'blk.0.ffn_xx.weight')
const foreign = altered('foreign.gguf', 'general.architecture', 'llama', 'qwen9')
const truncated = file('truncated.gguf', MODEL.subarray(0, 1_000_000))

test('`trace` generates with a real engine process', async () => {
  const out = join(folder, 'trace')
  const run = await plumblineWorker('trace', '--model', STORIES_260K, '--prompt', 'Once', '--out', out)
  expect(run).toMatchObject({ exitCode: 0, stderr: '' })
  expect(JSON.parse(run.stdout).token_ids.length).toBe(16)
  const { engine } = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))
  const git = await execa('git', ['rev-parse', 'HEAD'], { reject: false, cwd: import.meta.dirname })
  expect(engine.commit).toEqual(git.exitCode === 0 ? expect.stringMatching(/^[0-9a-f]{40}(-dirty)?$/) : null)
})

test('a stream comes from a real engine process, a long prompt through the thread that encodes it', async () => {
  const worker = await realWorker(HAIKU_NANO, [], AS_SHIPPED)
  const request = { job_id: 'shipped', messages: [{ role: 'user', content: 'rain' }], max_tokens: 5, ignore_eos: true }
  const { tokens, terminals } = await Execution.toEnd(worker.url, request)
  expect(tokens.length).toBe(5)
  expect(terminals).toMatchObject([{ type: 'end', stop_reason: 'MAX_TOKENS' }])
  const long = { job_id: 'long', prompt: 'rain '.repeat(6_000) }
  await expect(Execution.start(worker.url, long)).rejects.toThrow(/CONTEXT_OVERFLOW/)
  expect(await worker.stop()).toEqual({ code: 0, signal: null })
})

describe('what the core finds wrong with a model keeps its code on its way through two processes', () => {
  test.each([
    ['a truncated file', truncated, 'INVALID_GGUF'],
    ['a file that lacks a tensor', renamed, 'INVALID_GGUF'],
    ['an unknown architecture', foreign, 'UNSUPPORTED_ARCHITECTURE'],
  ])('serving %s fails', async (_, path, code) => {
    const serve = await plumblineWorker('--model', path, '--port', '0')
    expect(serve.exitCode).toBe(5)
    expect(JSON.parse(serve.stdout.split('\n').at(-1)!)).toMatchObject({ event: 'failed', code })
  })

  test.each([
    ['a file that lacks a tensor', renamed, 'INVALID_GGUF', 'tensor blk.0.ffn_up.weight of shape [64, 172] is missing'],
    ['an unknown architecture', foreign, 'UNSUPPORTED_ARCHITECTURE', 'qwen9'],
  ])('inspecting %s says why it cannot be run', async (_, path, code, message) => {
    const inspect = await plumblineWorker('inspect', path)
    expect(inspect).toMatchObject({ exitCode: 1, stderr: '' })
    const line = inspect.stdout.split('\n').at(-1)!
    expect(line).toMatch(/^It cannot be run: /)
    expect(line).toContain(message)
    expect(line).toContain(`(${code})`)
    const asJson = await plumblineWorker('inspect', path, '--json')
    expect(asJson).toMatchObject({ exitCode: 1, stderr: '' })
    expect(JSON.parse(asJson.stdout)).toMatchObject({ path, problem: { code } })
  })

  test('inspecting a truncated file says where it ends', async () => {
    const line = /^plumbline-worker: damaged GGUF file: [^\n]*$/ // one line, no stack trace
    const inspect = await plumblineWorker('inspect', truncated)
    expect(inspect).toMatchObject({ exitCode: 5, stdout: '', stderr: expect.stringMatching(line) })
    const asJson = await plumblineWorker('inspect', truncated, '--json')
    expect(asJson).toMatchObject({ exitCode: 5, stderr: expect.stringMatching(line) })
    expect(JSON.parse(asJson.stdout)).toMatchObject({ path: truncated, problem: { code: 'INVALID_GGUF' } })
  })
})

test('`inspect` of a model that can be run says so', async () => {
  const inspect = await plumblineWorker('inspect', STORIES_260K)
  expect(inspect.exitCode).toBe(0)
  expect(inspect.stdout).toMatch(/It can be run\.$/)
})

test('`models` lists, `pull` knows what there is', async () => {
  expect(await plumblineWorker('models')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('haiku-nano') })
  const pull = await plumblineWorker('pull', 'no-such-model')
  expect(pull).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/^plumbline-worker: [^\n]*no-such-model[^\n]*$/),
  })
})

test('compiled code is kept in the cache of the user', async () => {
  const cache = join(folder, 'cache')
  const env = { XDG_CACHE_HOME: cache, NODE_COMPILE_CACHE: '' }
  const run = await execa(process.execPath, [...AS_SHIPPED, '--version'], { env })
  expect(run.stdout).toMatch(/^\d+\.\d+\.\d+$/)
  const [version] = readdirSync(join(cache, 'plumbline', 'modules'))
  expect(readdirSync(join(cache, 'plumbline', 'modules', version!)).length).toBeGreaterThan(0)
})

test('a wrong option ends the start with one line', async () => {
  const run = await plumblineWorker('--model', '/nowhere.gguf')
  expect(run).toMatchObject({
    exitCode: 2,
    stdout: '',
    stderr: expect.stringMatching(/^plumbline-worker: --model [^\n]*$/),
  })
})
