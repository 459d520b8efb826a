import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  checkpointNames,
  manifestSha256,
  type TraceLevel,
  type TraceManifest,
  type TraceRecord,
  traceManifestSchema,
  traceRecordSchema,
} from '@plumbline/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Engine, type Job } from '../src/index.ts'
import { evaluate } from '../src/testing.ts'
import { type Generated, generate, job, loadOptions, longJob, longLoadOptions, stories260K } from './generate.ts'

const LAYERS = 5
const PROMPT = job.promptTokenIds
const MAX_TOKENS = 6
const sampling = { ...job.sampling, temperature: 0.8, seed: 7n }

const manifest: TraceManifest = {
  v: 1,
  run: 'the-run',
  level: 'ops',
  model: {
    name: 'stories260K',
    sha256: null,
    architecture: 'llama',
    quant_kind: 'F32',
    layers: LAYERS,
    vocab_size: 512,
  },
  tokenizer_sha256: null,
  chat_template_sha256: null,
  prompt_token_ids: [...PROMPT],
  sampling: { temperature: 0.8, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1, seed: '7' },
  max_tokens: MAX_TOKENS,
  engine: { name: 'plumbline', version: '0', commit: null },
  backend: 'cpu',
  device: 'cpu',
  precision: 'exact',
  dtypes: { weights: 'F32', activations: 'F32', kv_cache: 'F32' },
  not_observed: [],
  unfused: false,
  started_at: '2026-01-01T00:00:00Z',
}

interface Trace extends Generated {
  readonly manifest: TraceManifest
  readonly records: TraceRecord[]
  readonly manifestText: string
  readonly tensors: Buffer
  readonly jsonl: Buffer
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const valuesOf = (trace: Trace, { offset, nbytes }: TraceRecord) =>
  new Float32Array(new Uint8Array(trace.tensors.subarray(offset, offset + nbytes)).buffer)

let engine: Engine
const folder = mkdtempSync(join(tmpdir(), 'plumbline-trace-'))
beforeAll(async () => {
  engine = await Engine.load(loadOptions)
})
afterAll(async () => {
  await engine?.dispose()
  rmSync(folder, { recursive: true })
})

async function traced(
  name: string,
  level: Exclude<TraceLevel, 'off'>,
  options: { all?: boolean } = {},
): Promise<Trace> {
  const directory = join(folder, name)
  const all = options.all ?? false
  const generated = await generate(engine, {
    maxTokens: MAX_TOKENS,
    sampling,
    prefillChunk: 2,
    trace: {
      directory,
      level,
      allPositionsLogits: all,
      values: all ? 'all' : 'first8',
      manifest: { ...manifest, level },
    },
  })
  const jsonl = readFileSync(join(directory, 'trace.jsonl'))
  const lines = jsonl.toString('utf8').trimEnd().split('\n')
  const manifestText = readFileSync(join(directory, 'manifest.json'), 'utf8')
  return {
    ...generated,
    manifest: traceManifestSchema.parse(JSON.parse(manifestText)),
    manifestText,
    records: lines.map((line) => traceRecordSchema.parse(JSON.parse(line))),
    tensors: readFileSync(join(directory, 'tensors.bin')),
    jsonl,
  }
}

describe('a trace of a generation', () => {
  let trace: Trace
  beforeAll(async () => {
    trace = await traced('ops', 'ops', { all: true })
  })

  test('has every checkpoint of every piece of the prompt and of every token, in the order of computation', () => {
    const pieces = [
      { phase: 'prefill', pos: 0, n: 2 },
      { phase: 'prefill', pos: 2, n: 2 },
      { phase: 'prefill', pos: 4, n: 1 },
      ...Array.from({ length: MAX_TOKENS - 1 }, (_, i) => ({ phase: 'decode', pos: 5 + i, n: 1 })),
    ]
    const expected = pieces.flatMap((piece) => checkpointNames(LAYERS).map((name) => ({ name, ...piece })))
    expect(trace.records.map(({ name, phase, pos, n }) => ({ name, phase, pos, n }))).toEqual(expected)
    expect(trace.records.every(({ run }) => run === 'the-run')).toBe(true)
  })

  test('holds the values that the forward pass has, to the bit, in tensors.bin and in the JSONL', () => {
    const tokenIds = Uint32Array.from([...PROMPT, ...trace.tokens.map(({ id }) => id)]).subarray(0, -1)
    const { checkpoints } = evaluate({ modelPath: stories260K, tokenIds, precision: 'exact', checkpoints: true })
    const whole = new Map(checkpoints.map(({ name, width, values }) => [name, { width, values }]))
    for (const record of trace.records) {
      const { width, values } = whole.get(record.name)!
      expect(record.shape).toEqual([record.n, width])
      const truth = values.subarray(record.pos * width, (record.pos + record.n) * width)
      expect(valuesOf(trace, record)).toEqual(truth)
      expect(Float32Array.from(record.values as number[])).toEqual(truth)
    }
  })

  test('has each value once: the records tile tensors.bin', () => {
    let end = 0
    for (const { offset, nbytes, shape } of trace.records) {
      expect(offset).toBe(end)
      expect(nbytes).toBe(shape[0] * shape[1] * 4)
      end += nbytes
    }
    expect(trace.tensors.length).toBe(end)
  })

  test('has statistics that are those of the values', () => {
    for (const record of trace.records) {
      const values = [...valuesOf(trace, record)]
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length
      const rms = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)
      expect(record.stats).toMatchObject({ min: Math.min(...values), max: Math.max(...values), nonfinite: 0 })
      expect(record.stats.mean).toBeCloseTo(mean, 12)
      expect(record.stats.rms).toBeCloseTo(rms, 12)
    }
  })

  test('is closed with its counts, hashes and tokens', () => {
    expect(trace.manifest).toMatchObject(manifest)
    expect(trace.manifest.closed).toMatchObject({
      records: trace.records.length,
      generated_token_ids: trace.tokens.map(({ id }) => id),
      stop_reason: 'MAX_TOKENS',
      trace_sha256: sha256(trace.jsonl),
      tensors_sha256: sha256(trace.tensors),
      manifest_sha256: manifestSha256(trace.manifestText),
    })
  })
})

test.each(['logits', 'layers', 'ops'] as const)(
  'level %s: its checkpoints, and the tokens are those without a trace',
  async (level) => {
    const plain = await generate(engine, { maxTokens: MAX_TOKENS, sampling })
    const trace = await traced(`level-${level}`, level)
    expect(trace.tokens).toEqual(plain.tokens)
    expect(new Set(trace.records.map(({ name }) => name))).toEqual(new Set(checkpointNames(LAYERS, level)))
    expect(trace.records.every(({ values }) => values.length === 8)).toBe(true)
  },
)

test('logits are those that are computed anyway: of the last position of the prompt and of each token', async () => {
  const { records } = await traced('served', 'logits')
  expect(records.map(({ pos, n }) => [pos, n])).toEqual([4, 5, 6, 7, 8, 9].map((pos) => [pos, 1]))
})

/** The manifest of a trace whose job is ended by `end`, at its first token. */
async function manifestOfEnded(name: string, end: (job: Job) => unknown): Promise<TraceManifest> {
  const directory = join(folder, name)
  await engine.dispose()
  engine = await Engine.load(longLoadOptions)
  await new Promise<void>((resolve) => {
    let begun = false
    const running = engine.generate(
      {
        ...longJob,
        trace: { directory, level: 'logits', allPositionsLogits: true, values: 'first8', manifest },
      },
      {
        onTokens() {
          if (!begun) end(running)
          begun = true
        },
        onDone: () => resolve(),
      },
    )
  })
  return traceManifestSchema.parse(JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')))
}

test('the trace of a cancelled job says that it was', async () => {
  const { closed } = await manifestOfEnded('cancelled', (job) => job.cancel())
  expect(closed).toMatchObject({ stop_reason: 'CANCELLED' })
})

test('the trace of a job whose engine is disposed of does not look complete', async () => {
  let disposed: Promise<void> | undefined
  const { closed } = await manifestOfEnded('disposed', () => {
    disposed = engine.dispose()
  })
  expect(closed).toBeUndefined()
  await disposed
  engine = await Engine.load(loadOptions)
})
