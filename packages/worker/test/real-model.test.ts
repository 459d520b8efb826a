import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkpointNames, traceManifestSchema, traceRecordSchema } from '@plumbline/protocol'
import { committedAsset } from '@plumbline/protocol/testing'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { disconnectAgainAndAgain } from './helpers/clients.ts'
import { HAIKU_REQUESTS } from './helpers/engine-kills.ts'
import { Execution } from './helpers/execute.ts'
import { HAIKU_NANO, STORIES_260K } from './helpers/models.ts'
import { realWorker, SpawnedWorker, unhurriedWorker, until } from './helpers/spawn-worker.ts'

let traces: string
let worker: SpawnedWorker
beforeAll(async () => {
  traces = mkdtempSync(join(tmpdir(), 'plumbline-traces-'))
  worker = new SpawnedWorker(['--model', STORIES_260K, '--port', '0', '--precision', 'exact', '--trace-dir', traces])
  await worker.waitFor('ready')
})
afterAll(async () => {
  await worker.stop()
  rmSync(traces, { recursive: true })
})

interface Recorded {
  readonly prompt: string
  readonly ids: number[]
  readonly greedy: number[]
}

test.each([0, 1, 2])('prompt %i: greedy tokens over HTTP are the recorded ones, from text and from ids', async (n) => {
  const path = committedAsset(`stories260K/transformers/prompt-${n}.json`)
  const recorded = JSON.parse(readFileSync(path, 'utf8')) as Recorded
  const max_tokens = recorded.greedy.length
  const request = { temperature: 0, ignore_eos: true, max_tokens }
  for (const prompt of [{ prompt_token_ids: recorded.ids }, { prompt: recorded.prompt }]) {
    const execution = await Execution.toEnd(worker.url, { job_id: 'greedy', ...request, ...prompt })
    expect(execution.events[0]).toMatchObject({ prompt_tokens: recorded.ids.length })
    expect(execution.tokens.map((event) => event.token_id)).toEqual(recorded.greedy)
    expect(execution.terminals).toMatchObject([{ type: 'end', stop_reason: 'MAX_TOKENS', tokens_out: max_tokens }])
  }
})

test('the same seed gives the same tokens, another seed others', async () => {
  const run = async (seed: string) => {
    const request = { job_id: 'seeded', prompt: 'Once upon a time', seed, temperature: 1, max_tokens: 60, logprobs: 2 }
    const { tokens } = await Execution.toEnd(worker.url, request)
    return tokens.map(({ token_id, logprob, top }) => ({ token_id, logprob, top }))
  }
  const first = await run('1')
  expect(await run('1')).toEqual(first)
  expect(await run('2')).not.toEqual(first)
  for (const { token_id, logprob, top } of first) {
    expect(top!.length).toBe(2)
    expect(top![0]!.logprob).toBeGreaterThanOrEqual(top![1]!.logprob)
    const listed = top!.find((other) => other.token_id === token_id)
    if (listed) expect(listed.logprob).toBe(logprob)
  }
})

test('a request can ask for its trace', async () => {
  const request = { job_id: 'with a/trace', prompt: 'Once', max_tokens: 3, temperature: 0, trace: 'ops' }
  const traced = await Execution.toEnd(worker.url, request)
  const plain = await Execution.toEnd(worker.url, { ...request, trace: 'off' })
  expect(traced.tokens).toEqual(plain.tokens)

  const [folder] = readdirSync(traces)
  const manifest = traceManifestSchema.parse(JSON.parse(readFileSync(join(traces, folder!, 'manifest.json'), 'utf8')))
  expect(manifest.model.sha256).toBe((await worker.health()).model_sha256)
  expect(manifest.closed!.generated_token_ids).toEqual(traced.tokens.map((event) => event.token_id))
  const lines = readFileSync(join(traces, folder!, 'trace.jsonl'), 'utf8')
    .trim()
    .split('\n')
  const records = lines.map((line) => traceRecordSchema.parse(JSON.parse(line)))
  expect(records.length).toBe(manifest.closed!.records)
  expect(new Set(records.map((record) => record.name))).toEqual(new Set(checkpointNames(manifest.model.layers, 'ops')))
})

test('`trace` writes a trace without a server, with logits at every position', async () => {
  const out = mkdtempSync(join(tmpdir(), 'plumbline-trace-'))
  onTestFinished(() => rmSync(out, { recursive: true }))
  const args = ['trace', '--model', STORIES_260K, '--prompt-token-ids', '1,403,407', '--max-tokens', '2']
  const run = new SpawnedWorker([...args, '--level', 'logits', '--out', join(out, 'new')])
  expect(await run.exited).toEqual({ code: 0, signal: null })
  const { token_ids } = JSON.parse(run.stdout) as { token_ids: number[] }
  expect(token_ids.length).toBe(2)
  const manifest = traceManifestSchema.parse(JSON.parse(readFileSync(join(out, 'new', 'manifest.json'), 'utf8')))
  expect(manifest).toMatchObject({ prompt_token_ids: [1, 403, 407], level: 'logits', max_tokens: 2 })
  expect(manifest.closed!.generated_token_ids).toEqual(token_ids)
  const lines = readFileSync(join(out, 'new', 'trace.jsonl'), 'utf8')
    .trim()
    .split('\n')
  const positions = lines
    .map((line) => traceRecordSchema.parse(JSON.parse(line)))
    .flatMap(({ pos, n }) => [pos, pos + n])
  expect([Math.min(...positions), Math.max(...positions)]).toEqual([0, 4])
})

test('a real engine that is killed mid-stream ends the job, and comes back with the same answers', async () => {
  const worker = await unhurriedWorker()
  const request = { job_id: 'x', prompt: 'rain', max_tokens: 2_000, ignore_eos: true, seed: 7 }
  const before = await Execution.toEnd(worker.url, { ...request, max_tokens: 20 })
  const execution = await Execution.start(worker.url, request)
  await execution.untilTokens(5)
  process.kill((await worker.health()).engine.pid!, 'SIGSEGV')
  await execution.ended
  expect(execution.terminals).toMatchObject([{ type: 'error', code: 'ENGINE_CRASHED' }])
  await worker.untilHealthy()
  const after = await Execution.toEnd(worker.url, { ...request, max_tokens: 20 })
  expect(after.text).toBe(before.text)
})

test('a trace of a job whose engine was killed can be read, and is visibly truncated', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-traces-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const worker = await unhurriedWorker(['--trace-dir', folder])
  const request = { job_id: 'cut', prompt: 'rain', max_tokens: 2_000, ignore_eos: true, trace: 'layers' }
  const execution = await Execution.start(worker.url, request)
  await execution.untilTokens(10)
  process.kill((await worker.health()).engine.pid!, 'SIGKILL')
  await execution.ended
  const trace = join(folder, readdirSync(folder)[0]!)
  const manifest = traceManifestSchema.parse(JSON.parse(readFileSync(join(trace, 'manifest.json'), 'utf8')))
  expect(manifest.closed).toBeUndefined()
  const lines = readFileSync(join(trace, 'trace.jsonl'), 'utf8').split('\n')
  const whole = lines.slice(0, -1).map((line) => traceRecordSchema.parse(JSON.parse(line)))
  expect(new Set(whole.map((record) => record.pos)).size).toBeGreaterThanOrEqual(10)
  const last = whole.at(-2)!
  expect(statSync(join(trace, 'tensors.bin')).size).toBeGreaterThanOrEqual(last.offset + last.nbytes)
})

test('a context length that the model cannot do ends the worker, naming the option', async () => {
  const worker = new SpawnedWorker(['--model', STORIES_260K, '--port', '0', '--context-length', '4096'])
  expect(await worker.exited).toEqual({ code: 5, signal: null })
  expect(worker.lines.at(-1)).toMatchObject({
    event: 'failed',
    message: expect.stringMatching(/^--context-length is "4096", must be .*128/),
  })
})

test('a model file that goes and comes back as another one: crash loop, then the new model with its own tokenizer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-model-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'model.gguf')
  copyFileSync(STORIES_260K, path)
  const worker = await realWorker(path)
  const before = await worker.health()
  rmSync(path)
  process.kill(before.engine.pid!, 'SIGKILL')
  await until(async () => (await worker.health()).status === 'crash_loop')
  copyFileSync(HAIKU_NANO, path)
  await worker.untilHealthy()
  await until(async () => (await worker.health()).model_sha256 !== null)
  const after = await worker.health()
  expect(after).toMatchObject({ architecture: 'qwen2', tokenizer_kind: expect.stringContaining('bpe') })
  expect(after.model_sha256).not.toBe(before.model_sha256)
  const { terminals } = await Execution.toEnd(worker.url, { job_id: 'x', prompt: 'rain', max_tokens: 5 })
  expect(terminals).toMatchObject([{ type: 'end' }])
})

test('a client that disconnects stops the native loop', async () => {
  await disconnectAgainAndAgain(await unhurriedWorker(), 5, HAIKU_REQUESTS.endless)
})

test('/health answers while the model generates', async () => {
  const worker = await realWorker(HAIKU_NANO)
  const execution = await Execution.start(worker.url, {
    job_id: 'busy',
    prompt: 'rain',
    max_tokens: 2_000,
    ignore_eos: true,
  })
  const times: number[] = []
  do {
    const began = performance.now()
    await worker.health()
    times.push(performance.now() - began)
  } while (execution.terminals.length === 0)
  times.sort((a, b) => a - b)
  // 10 ms is the goal for the 99th percentile, and bench measures it; that most take ten times as long is a defect.
  expect(times[Math.floor(times.length / 2)]).toBeLessThan(100)
})
