import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  builtBackends,
  Engine,
  type GenerateResult,
  inspectGguf,
  probeDevice,
  type TokenizerMetadata,
} from '../src/index.ts'
import { generate, job, loadOptions, longJob, longLoadOptions, stories260K } from './generate.ts'

const failure = (call: () => unknown): unknown => {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}

const withCode = (code: string) => expect.objectContaining({ name: 'PlumblineError', code })

describe('an engine', () => {
  let engine: Engine
  const progress: [number, string][] = []
  const tokenizers: TokenizerMetadata[] = []
  beforeAll(async () => {
    engine = await Engine.load({
      ...loadOptions,
      onProgress: (...step) => progress.push(step),
      onTokenizer: (tokenizer) => tokenizers.push(tokenizer),
    })
  })
  afterAll(() => engine.dispose())

  test('tells what it loaded', () => {
    expect(engine.info).toMatchObject({
      architecture: 'llama',
      quantKind: 'F32',
      vocabSize: 512,
      contextLength: 128,
      trainedContextLength: 128,
      embeddingLength: 64,
      layers: 5,
      device: 'cpu',
      threads: 1,
      precision: 'exact',
      fileBytes: readFileSync(stories260K).length,
    })
    expect(engine.info.backend).toMatch(/^cpu:(portable|avx2|avx512)$/)
    expect(engine.memoryUsed().kvCache).toBeGreaterThan(0)
  })

  test('tells how far the load has come, up to 1', () => {
    expect(progress.at(-1)).toEqual([1, 'warming_up'])
    const fractions = progress.map(([fraction]) => fraction)
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
  })

  test('hands out the tokenizer as it is in the file, once already while it loads', () => {
    const metadata = engine.tokenizerMetadata()
    expect(tokenizers).toEqual([metadata])
    expect(metadata).toMatchObject({ model: 'llama', bosId: 1, eosId: 2 })
    expect(metadata.tokens).toHaveLength(512)
    expect(metadata.tokens.slice(0, 4)).toEqual(['<unk>', '<s>', '</s>', '<0x00>'])
    expect(metadata.scores).toHaveLength(512)
    expect(metadata.tokenTypes).toHaveLength(512)
  })

  test('continues as llama.cpp does', async () => {
    const { records } = JSON.parse(readFileSync(committedAsset('stories260K/llama.cpp.json'), 'utf8')) as {
      records: { ids: number[]; greedy: number[] }[]
    }
    expect(records.length).toBeGreaterThan(0)
    for (const { ids, greedy } of records) {
      const { tokens, result } = await generate(engine, {
        promptTokenIds: Uint32Array.from(ids),
        maxTokens: greedy.length,
      })
      expect(tokens.map(({ id }) => id)).toEqual(greedy)
      expect(tokens.map(({ index }) => index)).toEqual(greedy.map((_, index) => index))
      expect(result).toMatchObject({ tokens: greedy.length, stopReason: 'MAX_TOKENS' })
    }
  })

  test('draws the same for the same seed, and other tokens for another', async () => {
    const sampling = { ...job.sampling, temperature: 1, seed: 2n ** 64n - 1n }
    const draw = async (seed: bigint) =>
      (await generate(engine, { sampling: { ...sampling, seed } })).tokens.map(({ id }) => id)
    const first = await draw(2n ** 64n - 1n)
    expect(await draw(2n ** 64n - 1n)).toEqual(first)
    expect(await draw(2n ** 64n - 2n)).not.toEqual(first)
  })

  test('keeps the end-of-sequence token to itself', async () => {
    const all = (await generate(engine)).tokens.map(({ id }) => id)
    const eosId = all[10]!
    const before = all.slice(0, all.indexOf(eosId))
    const { tokens, result } = await generate(engine, { eosIds: [eosId] })
    expect(tokens.map(({ id }) => id)).toEqual(before)
    expect(result).toMatchObject({ stopReason: 'EOS', tokens: before.length })
    const ignoring = await generate(engine, { eosIds: [eosId], ignoreEos: true })
    expect(ignoring.tokens.map(({ id }) => id)).toEqual(all)
  })

  test('gives log-probabilities when asked', async () => {
    const { tokens } = await generate(engine, { maxTokens: 3, logprobs: 5 })
    for (const { id, logprob, top } of tokens) {
      expect(top).toHaveLength(5)
      expect(top![0]).toEqual({ id, logprob }) // greedy takes the likeliest
      expect(logprob).toBeLessThanOrEqual(0)
    }
    expect((await generate(engine, { maxTokens: 1 })).tokens[0]).toEqual({ index: 0, id: expect.any(Number) })
  })

  test('counts progress by layers', async () => {
    const before = engine.progress().counter
    await generate(engine, { maxTokens: 4, prefillChunk: 2 })
    // 3 chunks for 5 prompt tokens, then 3 more tokens are evaluated, over 5 layers each
    expect(engine.progress()).toEqual({ counter: before + (3 + 3) * 5, activeJob: false })
  })

  test('runs one job at a time', async () => {
    const running = generate(engine)
    expect(failure(() => engine.generate(job, { onTokens() {}, onDone() {} }))).toEqual(withCode('ENGINE_BUSY'))
    expect(engine.progress().activeJob).toBe(true)
    await running
    expect(engine.progress().activeJob).toBe(false)
  })

  test('takes the next job from within onDone', async () => {
    const second = await new Promise((resolve) => {
      engine.generate(job, { onTokens() {}, onDone: () => resolve(generate(engine)) })
    })
    expect(second).toMatchObject({ result: { stopReason: 'MAX_TOKENS' } })
  })

  test('refuses a job that it cannot run', () => {
    const refused = (overrides: object) =>
      failure(() => engine.generate({ ...job, ...overrides }, { onTokens() {}, onDone() {} }))
    expect(refused({ promptTokenIds: Uint32Array.of() })).toEqual(withCode('INVALID_REQUEST'))
    expect(refused({ promptTokenIds: Uint32Array.of(512) })).toEqual(withCode('INVALID_REQUEST'))
    expect(refused({ maxTokens: 1000 })).toEqual(withCode('CONTEXT_OVERFLOW'))
    expect(refused({ maxTokens: -1 })).toEqual(withCode('INVALID_REQUEST'))
    expect(refused({ maxTokens: 1.5 })).toEqual(withCode('INVALID_REQUEST'))
    expect(refused({ sampling: { ...job.sampling, seed: -1n } })).toEqual(withCode('INVALID_REQUEST'))
    expect(refused({ sampling: undefined })).toEqual(withCode('INVALID_REQUEST'))
    expect(engine.progress().activeJob).toBe(false)
  })

  test('refuses handles of another kind', async () => {
    const { addon } = await import('../src/addon.ts')
    for (const wrong of [undefined, null, {}, 7, engine]) {
      expect(failure(() => addon().info(wrong as never))).toMatchObject({ code: 'INVALID_REQUEST' })
      expect(failure(() => addon().cancel(wrong as never))).toMatchObject({ code: 'INVALID_REQUEST' })
    }
  })

  test('writes a trace when asked', async () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'plumbline-')), 'trace')
    try {
      const { result } = await generate(engine, {
        maxTokens: 2,
        trace: { directory, level: 'ops', allPositionsLogits: true, values: 'first8', manifest: { v: 1, run: 'r' } },
      })
      const records = readFileSync(join(directory, 'trace.jsonl'), 'utf8').trim().split('\n')
      expect(result.trace).toMatchObject({ records: records.length })
      const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'))
      expect(manifest).toMatchObject({ run: 'r', closed: { records: records.length, stop_reason: 'MAX_TOKENS' } })
      expect(manifest.closed.generated_token_ids).toHaveLength(2)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  test('a trace folder that cannot be made costs a job its trace alone', async () => {
    const trace = {
      directory: '/proc/none',
      level: 'ops',
      allPositionsLogits: false,
      values: 'all',
      manifest: { run: 'r' },
    } as const
    const { result } = await generate(engine, { trace })
    expect(result).toMatchObject({ stopReason: 'MAX_TOKENS', trace: { records: 0 } })
    expect(result.trace!.stopped).toBe('cannot write a trace to /proc/none: No such file or directory')
  })
})

describe('loading', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('twice is ENGINE_BUSY, until the first engine is disposed of', async () => {
    const loading = Engine.load(loadOptions)
    await expect(Engine.load(loadOptions)).rejects.toEqual(withCode('ENGINE_BUSY'))
    const first = await loading
    await expect(Engine.load(loadOptions)).rejects.toEqual(withCode('ENGINE_BUSY'))
    const { tokens } = await generate(first)
    await first.dispose()
    const second = await Engine.load(loadOptions)
    expect((await generate(second)).tokens).toEqual(tokens)
    await second.dispose()
  })

  test('that failed can be tried again', async () => {
    await expect(Engine.load({ ...loadOptions, contextLength: 129 })).rejects.toEqual(withCode('CONTEXT_OVERFLOW'))
    await (await Engine.load(loadOptions)).dispose()
  })

  test.each([
    ['a file that is not there', '/nonexistent/model.gguf', 'MODEL_NOT_FOUND'],
    ['a folder', tmpdir(), 'MODEL_LOAD_FAILED'],
    ['a file that is no GGUF', import.meta.filename, 'INVALID_GGUF'],
  ])('%s is a typed error', async (_name, modelPath, code) => {
    await expect(Engine.load({ ...loadOptions, modelPath })).rejects.toEqual(withCode(code))
    expect(failure(() => inspectGguf(modelPath))).toEqual(withCode(code))
  })

  test('a truncated model is a typed error with field and offset', async () => {
    const modelPath = join(folder, 'cut.gguf')
    writeFileSync(modelPath, readFileSync(stories260K).subarray(0, 1_000_000))
    await expect(Engine.load({ ...loadOptions, modelPath })).rejects.toMatchObject({
      code: 'INVALID_GGUF',
      fields: { field: expect.stringContaining('data of '), offset: expect.any(Number), expected: expect.any(String) },
    })
  })

  test('a tokenizer that cannot be is a typed error with field and offset, and the inspection says so', async () => {
    const bytes = readFileSync(stories260K)
    const key = 'tokenizer.ggml.eos_token_id'
    const offset = bytes.indexOf(key) + key.length + 4
    bytes.writeUInt32LE(512, offset)
    const modelPath = join(folder, 'eos.gguf')
    writeFileSync(modelPath, bytes)
    const expected = "a token id below 512, the vocabulary's size"
    const refusal = { code: 'INVALID_GGUF', fields: { field: `metadata ${key}`, offset, expected, found: '512' } }
    const engine = await Engine.load({ ...loadOptions, modelPath })
    expect(failure(() => engine.tokenizerMetadata())).toMatchObject(refusal)
    await engine.dispose()
    expect(inspectGguf(modelPath).problem).toMatchObject(refusal)
  })

  test('options that cannot be are typed errors', async () => {
    const load = (overrides: object) => Engine.load({ ...loadOptions, ...overrides })
    await expect(load({ device: 'cuda:999' })).rejects.toEqual(withCode('DEVICE_UNAVAILABLE'))
    await expect(load({ device: 'gpu' })).rejects.toEqual(withCode('INVALID_OPTION'))
    await expect(load({ precision: 'half' })).rejects.toEqual(withCode('INVALID_OPTION'))
    await expect(load({ contextLength: 129 })).rejects.toEqual(withCode('CONTEXT_OVERFLOW'))
    await expect(load({ threads: -1 })).rejects.toEqual(withCode('INVALID_REQUEST'))
    await expect(load({ modelPath: undefined })).rejects.toEqual(withCode('INVALID_REQUEST'))
  })
})

test('a job that is cancelled stops, and the engine takes the next', async () => {
  const engine = await Engine.load(longLoadOptions)
  let seen = 0
  const result = await new Promise<GenerateResult>((resolve) => {
    const running = engine.generate(longJob, {
      onTokens: ({ tokens }) => {
        seen += tokens.length
      },
      onDone: resolve,
    })
    running.cancel()
    running.cancel()
  })
  expect(result.stopReason).toBe('CANCELLED')
  expect(result.tokens).toBe(seen)
  expect(seen).toBeLessThan(longJob.maxTokens)
  expect((await generate(engine)).result.stopReason).toBe('MAX_TOKENS')
  await engine.dispose()
})

describe('disposing', () => {
  test('ends a running job, tells its sink first, and makes every later use an error', async () => {
    const engine = await Engine.load(longLoadOptions)
    const events: string[] = []
    engine.generate(longJob, { onTokens() {}, onDone: (result) => events.push(result.stopReason) })
    const disposed = engine.dispose().then(() => events.push('disposed'))
    await expect(engine.dispose()).rejects.toEqual(withCode('ENGINE_DISPOSED'))
    for (const use of [
      () => engine.progress(),
      () => engine.memoryUsed(),
      () => engine.tokenizerMetadata(),
      () => engine.generate(job, { onTokens() {}, onDone() {} }),
    ]) {
      expect(failure(use)).toEqual(withCode('ENGINE_DISPOSED'))
    }
    await disposed
    expect(events).toEqual(['CANCELLED', 'disposed'])
    await expect(engine.dispose()).rejects.toEqual(withCode('ENGINE_DISPOSED'))
  })

  test('from within a sink works', async () => {
    const engine = await Engine.load(loadOptions)
    const reason = await new Promise<string>((resolve) => {
      let disposed: Promise<void> | undefined
      engine.generate(
        { ...job, maxTokens: 120 },
        {
          onTokens() {
            disposed ??= engine.dispose()
          },
          onDone: async ({ stopReason }) => {
            await disposed
            resolve(stopReason)
          },
        },
      )
    })
    expect(['CANCELLED', 'MAX_TOKENS']).toContain(reason)
  })

  test('a job can be cancelled after its engine is gone', async () => {
    const engine = await Engine.load(loadOptions)
    const running = engine.generate(job, { onTokens() {}, onDone() {} })
    await engine.dispose()
    running.cancel()
  })
})

describe('inspecting and probing', () => {
  test('tells what a file holds and that it can be run', () => {
    const inspection = inspectGguf(stories260K)
    expect(inspection).toMatchObject({ version: 3, architecture: 'llama', quantKind: 'F32', parameters: 292_800 })
    expect(inspection.problem).toBeUndefined()
    expect(inspection.metadata['tokenizer.ggml.tokens']).toEqual({ array: 'string', length: 512 })
    expect(inspection.metadata['llama.block_count']).toBe(5)
    expect(inspection.tensors).toContainEqual({
      name: 'token_embd.weight',
      shape: [64, 512],
      type: 'F32',
      bytes: 131_072,
    })
  })

  test('a GPU that is not there is an error, and auto says why it fell back', () => {
    expect(failure(() => probeDevice('cuda:999'))).toEqual(withCode('DEVICE_UNAVAILABLE'))
    const { device, fallbackReason } = probeDevice('auto')
    expect(device).toBe('cpu')
    expect(fallbackReason).toMatch(/./)
    expect(probeDevice('cpu').fallbackReason).toBeUndefined()
  })

  test('the emulator is no device of what is shipped', () => {
    expect(failure(() => probeDevice('emulator'))).toMatchObject({
      code: 'INVALID_OPTION',
      fields: { field: 'device' },
    })
    expect(builtBackends().join()).not.toContain('emulator')
  })

  describeWithAssets(describe, 'with the large assets', () => {
    test('a vocabulary alone can be looked into, and the inspection says why it cannot be run', () => {
      const inspection = inspectGguf(asset('tokenizer-vectors/ggml-vocab-qwen2.gguf'))
      expect(inspection.metadata['tokenizer.ggml.tokens']).toEqual({ array: 'string', length: 151_936 })
      expect(inspection.problem).toEqual(withCode('INVALID_GGUF'))
    })
  })
})
