import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TraceManifest, tokenizerSha256, traceManifestSchema, traceRecordSchema } from '@plumbline/protocol'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { run } from '../src/cli.ts'
import { Execution } from './helpers/execute.ts'
import { HAIKU_NANO, STORIES_260K } from './helpers/models.ts'
import { isAlive, realWorker, SpawnedWorker, unhurriedWorker, until } from './helpers/spawn-worker.ts'
import { smallSentencePiece, smallVocabulary } from './small-vocabulary.ts'

const folder = mkdtempSync(join(tmpdir(), 'plumbline-traces-'))
afterAll(() => rmSync(folder, { recursive: true }))

const manifestIn = (directory: string): TraceManifest =>
  traceManifestSchema.parse(JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')))

/** Every line but the last, which may be cut short. */
const wholeRecords = (directory: string) =>
  readFileSync(join(directory, 'trace.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => traceRecordSchema.parse(JSON.parse(line)))

/** As far as the decoding of the second token. */
const isUnderWay = (directory: string) => {
  try {
    return wholeRecords(directory).filter(({ phase }) => phase === 'decode').length > 100
  } catch {
    return false
  }
}

async function expectCutShort(directory: string): Promise<void> {
  // Whoever would close it has ended, too: nothing writes to it any more.
  let bytes = -1
  await until(async () => {
    const before = bytes
    await new Promise((resolve) => setTimeout(resolve, 100))
    bytes = readFileSync(join(directory, 'tensors.bin')).length
    return bytes === before
  })
  expect(wholeRecords(directory).length).toBeGreaterThan(100)
  expect(manifestIn(directory).closed).toBeUndefined()
}

describe('a trace whose worker was killed does not look complete', () => {
  test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('`trace`, by %s', async (signal) => {
    const directory = join(folder, `trace-${signal}`)
    const args = ['--model', HAIKU_NANO, '--prompt', 'rain', '--max-tokens', '1500', '--temperature', '1']
    const tracing = new SpawnedWorker(['trace', ...args, '--out', directory])
    onTestFinished(() => void tracing.child.kill('SIGKILL'))
    await until(() => isUnderWay(directory))
    tracing.child.kill(signal)
    await tracing.exited
    await expectCutShort(directory)
  })

  test('a served job, by SIGKILL of the front', async () => {
    const traces = join(folder, 'served')
    mkdirSync(traces)
    const worker = await unhurriedWorker(['--trace-dir', traces])
    const request = { job_id: 'cut', prompt: 'rain', max_tokens: 2_000, ignore_eos: true, trace: 'ops' }
    const execution = await Execution.start(worker.url, request)
    await execution.untilTokens(10)
    worker.child.kill('SIGKILL')
    await execution.ended
    await expectCutShort(join(traces, readdirSync(traces)[0]!))
  })
})

test('the trace of a job that is cancelled is closed, and says that it was cancelled', async () => {
  const traces = join(folder, 'cancelled')
  mkdirSync(traces)
  const worker = await unhurriedWorker(['--trace-dir', traces])
  const request = { job_id: 'cancelled', prompt: 'rain', max_tokens: 2_000, ignore_eos: true, trace: 'logits' }
  const execution = await Execution.start(worker.url, request)
  await execution.untilTokens(3)
  execution.disconnect()
  await until(async () => (await worker.health()).queue.active === 0)
  expect(manifestIn(join(traces, readdirSync(traces)[0]!)).closed).toMatchObject({ stop_reason: 'CANCELLED' })
})

test.skipIf(process.platform !== 'linux')(
  'an engine that is stopped (SIGSTOP) does not outlive its front',
  async () => {
    const worker = await realWorker(STORIES_260K)
    const { engine } = await worker.health()
    onTestFinished(() => {
      if (isAlive(engine.pid!)) process.kill(engine.pid!, 'SIGKILL')
    })
    process.kill(engine.pid!, 'SIGSTOP')
    worker.child.kill('SIGKILL')
    await until(() => !isAlive(engine.pid!))
  },
)

test('a trace changes no token, whatever its level, and leaves nothing where it was not asked for', async () => {
  const traces = join(folder, 'levels')
  mkdirSync(traces)
  const worker = await realWorker(HAIKU_NANO, ['--trace-dir', traces])
  const tokens = async (trace: string) => {
    const request = {
      job_id: trace,
      prompt: 'rain',
      max_tokens: 24,
      temperature: 1,
      seed: '7',
      ignore_eos: true,
      trace,
    }
    const execution = await Execution.start(worker.url, request)
    await execution.ended
    return execution.events.filter(({ type }) => type === 'token').map((event) => 'token_id' in event && event.token_id)
  }
  const untraced = await tokens('off')
  expect(untraced).toHaveLength(24)
  expect(readdirSync(traces)).toEqual([])
  for (const level of ['logits', 'layers', 'ops']) expect(await tokens(level)).toEqual(untraced)
  expect(readdirSync(traces)).toHaveLength(3)
})

describe('`trace`', () => {
  const trace = (name: string, ...args: string[]) =>
    new SpawnedWorker(['trace', '--model', STORIES_260K, '--out', join(folder, name), ...args])

  test('of no tokens is of the prompt alone', async () => {
    const traced = trace('prompt-alone', '--prompt-token-ids', '1,403,407', '--max-tokens', '0', '--level', 'logits')
    expect(await traced.exited).toEqual({ code: 0, signal: null })
    expect(manifestIn(join(folder, 'prompt-alone'))).toMatchObject({
      max_tokens: 0,
      unfused: false,
      closed: { generated_token_ids: [], stop_reason: 'MAX_TOKENS' },
    })
    const positions = wholeRecords(join(folder, 'prompt-alone')).map(({ pos, n, phase }) => [pos, n, phase])
    expect(positions).toEqual([[0, 3, 'prefill']])
  })

  test('in chunks of its prompt evaluates so many positions at once', async () => {
    const args = ['--prompt-token-ids', '1,403,407,261,378', '--max-tokens', '0', '--level', 'layers']
    const traced = trace('in-chunks', ...args, '--prefill-chunk', '2')
    expect(await traced.exited).toEqual({ code: 0, signal: null })
    const embeddings = wholeRecords(join(folder, 'in-chunks')).filter(({ name }) => name === 'token_embd')
    expect(embeddings.map(({ pos, n }) => [pos, n])).toEqual([
      [0, 2],
      [2, 2],
      [4, 1],
    ])
  })

  test('of more tokens than there is room for generates as many as there is, and says so', async () => {
    const traced = trace('clamped', '--prompt', 'Once', '--max-tokens', '2000', '--level', 'logits', '--unfused')
    expect(await traced.exited).toEqual({ code: 0, signal: null })
    const { max_tokens, unfused, prompt_token_ids } = manifestIn(join(folder, 'clamped'))
    expect([max_tokens, unfused]).toEqual([128 - prompt_token_ids.length, true])
  })

  test.each([
    [['--prompt-token-ids', ''], '--prompt-token-ids is "", must be token ids'],
    [['--prompt-token-ids', '1,,2'], '--prompt-token-ids is "1,,2", must be token ids'],
    [['--prompt-token-ids', '1,x'], '--prompt-token-ids is "1,x", must be token ids'],
    [['--prompt-token-ids', '1,-2'], '--prompt-token-ids is "1,-2", must be token ids'],
    [['--prompt-token-ids', '1.5'], '--prompt-token-ids is "1.5", must be token ids'],
    [['--prompt', 'x', '--temperature', ''], '--temperature is "", must be a number'],
    [['--prompt', 'x', '--temperature', 'warm'], '--temperature is "warm", must be a number'],
    [['--prompt', 'x', '--temperature', '3'], '--temperature must be at most 2'],
    [['--prompt', 'x', '--seed', 'x'], '--seed must be an unsigned 64-bit integer'],
    [['--prompt', 'x', '--prefill-chunk', '0'], '--prefill-chunk is "0", must be an integer from 1'],
    [['--prompt', 'x', '--max-tokens', '1e3'], '--max-tokens is "1e3", must be an integer'],
    [['--prompt', 'x', '--level', 'deep'], '--level is "deep", must be logits, layers, ops'],
    [['--messages', '/nowhere.json'], '--messages is "/nowhere.json", must be'],
    [['--messages', import.meta.filename], 'must be a file that holds a JSON array'],
    [['--prompt', ''], '--prompt must hold at least 1 characters'],
    [['--prompt', 'x', '--prompt-token-ids', '1'], 'give exactly one of --prompt, --messages, --prompt-token-ids'],
    [[], 'give exactly one of --prompt, --messages, --prompt-token-ids'],
  ])('%j is refused by name, before a model is looked for', async (args, line) => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    onTestFinished(() => stderr.mockRestore())
    expect(await run(['trace', '--model', '/nowhere.gguf', '--out', join(folder, 'never'), ...args])).toBe(2)
    expect(stderr.mock.calls).toEqual([[expect.stringMatching(/^plumbline-worker: [^\n]+\n$/)]])
    expect(stderr.mock.calls[0]![0]).toContain(line)
  })
})

test('a trace states whose weights it is of', async () => {
  const directory = join(folder, 'fingerprint')
  const tracing = new SpawnedWorker([
    'trace',
    '--model',
    STORIES_260K,
    '--prompt-token-ids',
    '1',
    '--max-tokens',
    '1',
    '--out',
    directory,
  ])
  await tracing.exited
  // As reference-logs/recorders/identity.py gives it.
  expect(manifestIn(directory).model.weights_fingerprint).toBe(
    'b726e76e455856f47d5fd15301eac1fd790eeb2a471b3d72750fe80d5e517d36',
  )
})

test('the hash of a tokenizer covers all that decides how text is cut', () => {
  const [small, pieces] = [smallVocabulary(), smallSentencePiece()]
  const types = Int32Array.from(small.tokenTypes!).fill(1, 0, 1).fill(4, 1, 2)
  const hashes = [
    ...[
      {},
      { pre: 'smollm' },
      { merges: ['h e'] },
      { tokenTypes: types },
      { bosId: 3 },
      { eosId: 3 },
      { addBos: true },
    ],
    ...[{ eotId: 3 }, { addSpacePrefix: false }, { tokens: [...small.tokens].reverse() }],
  ].map((change) => tokenizerSha256({ ...small, ...change }))
  hashes.push(
    tokenizerSha256(pieces),
    tokenizerSha256({ ...pieces, scores: Float32Array.from(pieces.scores!).fill(-5, 259, 260) }),
  )
  expect(new Set(hashes).size).toBe(hashes.length)
})
