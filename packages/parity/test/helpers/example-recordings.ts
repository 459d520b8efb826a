import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkpointNames, type TraceManifest } from '@plumbline/protocol'
import { writeRecording } from '../../src/formats/write/write-recording.ts'
import { TraceWriter } from '../../src/oracle/trace-writer.ts'
import { MemoryRun, memoryRecording } from '../../src/recording/memory-recording.ts'
import type { FormatName, Recording } from '../../src/recording/recording.ts'

export const PROMPT_TOKEN_IDS = [1, 7, 3]
const GENERATED_TOKEN_IDS = [5, 2]
const WIDTH = 8
const VOCAB_SIZE = 12
const STORIES = join(import.meta.dirname, '../../../protocol/test-vectors/stories260K')

export interface ExampleRecording {
  readonly name: string
  readonly format: FormatName
  /** What is opened. */
  readonly path: string
  /** What can be damaged. */
  readonly files: readonly string[]
  /** Whether the format itself can tell that values or identity are not what was written. */
  readonly checksummed: boolean
}

/** A small recording of each format, all sound, in folders of their own below `folder`. */
export async function exampleRecordings(folder: string): Promise<ExampleRecording[]> {
  const examples: ExampleRecording[] = []
  const add = (name: string, format: FormatName, checksummed: boolean, write: (at: string) => string) => {
    const at = join(folder, name)
    mkdirSync(at, { recursive: true })
    const path = join(at, write(at))
    const files = readdirSync(at).map((file) => join(at, file))
    examples.push({ name, format, path, files, checksummed })
  }
  const file = (name: string, content: string | Uint8Array) => (at: string) => {
    writeFileSync(join(at, name), content)
    return name
  }
  const recording = exampleMemory()
  add('trace', 'plumbline-trace', true, (at) => {
    writeExampleTrace(at, recording)
    return '.'
  })
  add('transformers', 'transformers-safetensors', false, (at) => {
    for (const name of ['prompt-0.json', 'prompt-0.safetensors'])
      cpSync(join(STORIES, 'transformers', name), join(at, name))
    return 'prompt-0.safetensors'
  })
  add('llama-cpp', 'llama-cpp-json', false, (at) => {
    cpSync(join(STORIES, 'llama.cpp.json'), join(at, 'stories.json'))
    return 'stories.json'
  })
  add('npy', 'npy', false, (at) => {
    writeFileSync(join(at, 'logits.npy'), npy('<f4', [3, VOCAB_SIZE], new Float32Array(3 * VOCAB_SIZE).map(Math.cos)))
    writeFileSync(join(at, 'logits.json'), JSON.stringify({ ids: PROMPT_TOKEN_IDS, engine: 'numpy' }))
    return 'logits.npy'
  })
  add('raw', 'raw-f32', false, (at) => {
    const data = new Uint8Array(Float32Array.from({ length: 3 * VOCAB_SIZE }, (_, index) => Math.cos(index)).buffer)
    writeFileSync(join(at, 'logits.f32'), data)
    const sha256 = createHash('sha256').update(data).digest('hex')
    const tensors = [{ name: 'logits', shape: [3, VOCAB_SIZE], offset: 0 }]
    const manifest = { format: 'raw-f32', data: 'logits.f32', sha256, ids: PROMPT_TOKEN_IDS, tensors }
    writeFileSync(join(at, 'raw.json'), JSON.stringify(manifest, null, 1))
    return 'raw.json'
  })
  add('llama-results', 'llama-results-gguf', false, file('results.gguf', llamaResults()))
  add('llama-debug', 'llama-debug-text', false, file('debug.txt', llamaDebug()))
  add('checkpoint-jsonl', 'checkpoint-jsonl', false, file('checkpoints.jsonl', checkpointJsonl()))
  add('team-jsonl', 'team-jsonl', false, file('teams.jsonl', teamJsonl()))
  for (const format of ['safetensors', 'npz', 'parquet', 'jsonl'] as const) {
    const at = join(folder, `converted-${format}`)
    mkdirSync(at)
    const path = join(at, `x.${format}`)
    await writeRecording(recording, format, path)
    const name = format === 'safetensors' ? 'transformers-safetensors' : format
    examples.push({ name: `converted-${format}`, format: name, path, files: [path], checksummed: true })
  }
  return examples
}

/** A run of a model of one layer: three tokens of prompt, two generated. */
export function exampleMemory(): Recording {
  const run = new MemoryRun('run', {
    engine: 'example',
    promptTokenIds: PROMPT_TOKEN_IDS,
    layers: 1,
    architecture: 'llama',
  })
  const steps = [
    { pos: 0, count: 3, phase: 'prefill' as const },
    { pos: 3, count: 1, phase: 'decode' as const },
    { pos: 4, count: 1, phase: 'decode' as const },
  ]
  for (const { pos, count, phase } of steps) {
    for (const [index, name] of checkpointNames(1).entries()) {
      const width = name === 'logits' ? VOCAB_SIZE : WIDTH
      const values = Float32Array.from({ length: count * width }, (_, at) => Math.sin(pos * 131 + index * 17 + at) * 3)
      run.add(name, { pos, phase }, width, values)
    }
  }
  return memoryRecording([run])
}

export function writeExampleTrace(directory: string, recording: Recording): void {
  const [run] = recording.runs
  const manifest: TraceManifest = {
    v: 1,
    run: 'run',
    level: 'ops',
    model: {
      name: 'example',
      sha256: 'a'.repeat(64),
      architecture: 'llama',
      quant_kind: 'F32',
      layers: 1,
      vocab_size: VOCAB_SIZE,
    },
    tokenizer_sha256: 'b'.repeat(64),
    chat_template_sha256: null,
    prompt_token_ids: PROMPT_TOKEN_IDS,
    sampling: { temperature: 0, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1, seed: '1' },
    max_tokens: GENERATED_TOKEN_IDS.length,
    engine: { name: 'plumbline', version: '0.1.0', commit: null },
    backend: 'cpu:portable',
    device: 'cpu',
    precision: 'exact',
    dtypes: { weights: 'F32', activations: 'F32', kv_cache: 'F32' },
    not_observed: [],
    unfused: false,
    started_at: '2026-01-01T00:00:00.000Z',
  }
  const writer = new TraceWriter(directory, manifest)
  for (let index = 0; index < 3; index++) {
    for (const checkpoint of run!.checkpoints.values()) {
      const { pos, count, phase, read } = checkpoint.slab(index)
      const layer = checkpoint.name.startsWith('blk.') ? 0 : null
      const { name, width } = checkpoint
      writer.write({ name, layer, phase: phase!, pos, count, width, values: Float64Array.from(read()) })
    }
  }
  writer.close(GENERATED_TOKEN_IDS, 'MAX_TOKENS')
}

/** As numpy.save writes it. */
export function npy(descr: string, shape: readonly number[], values: ArrayBufferView): Buffer {
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`
  const header = Buffer.alloc(Math.ceil((11 + dict.length) / 64) * 64, ' ')
  header.write('\x93NUMPY\x01\x00', 'latin1')
  header.writeUInt16LE(header.length - 10, 8)
  header.write(dict, 10, 'latin1')
  header[header.length - 1] = 10
  return Buffer.concat([header, Buffer.from(values.buffer, values.byteOffset, values.byteLength)])
}

/** As tools/results/results.cpp of llama.cpp writes it: dimensions of the logits the other way around. */
export function llamaResults(tokens = PROMPT_TOKEN_IDS, vocabSize = VOCAB_SIZE): Buffer {
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
  const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
  const text = (value: string) => Buffer.concat([u64(value.length), Buffer.from(value)])
  const tensor = (name: string, shape: number[], type: number, offset: number) =>
    Buffer.concat([text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(offset)])
  const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)])
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(2),
    u64(1),
    text('path_model'),
    u32(8),
    text('models/example.gguf'),
    tensor('tokens', [tokens.length], 26, 0),
    tensor('logits', [tokens.length, vocabSize], 0, 32 * Math.ceil(tokens.length / 8)),
  ])
  const logits = Float32Array.from({ length: tokens.length * vocabSize }, (_, index) => Math.sin(index) * 5)
  return Buffer.concat([
    padded(header),
    padded(Buffer.from(Int32Array.from(tokens).buffer)),
    padded(Buffer.from(logits.buffer)),
  ])
}

/** As common/debug.cpp of llama.cpp prints it, in the order of its graph. */
export function llamaDebug(tokens = PROMPT_TOKEN_IDS): string {
  const count = tokens.length
  const node = (name: string, op: string, dimensions: [number, number, number]) => {
    const [first, second, third] = dimensions
    const at = (i: number, j: number, k: number) => Math.sin(name.length + i * 3 + j * 7 + k * 11) * 2
    const shown = (size: number) =>
      Array.from({ length: size }, (_, index) => index).filter((index) => size <= 6 || index < 3 || index >= size - 3)
    const rowText = (j: number, k: number) => {
      const cells = shown(first).flatMap((i, index) => {
        const number = at(i, j, k).toFixed(4).padStart(12)
        return index === 3 && first > 6 ? ['   ...', number] : [number]
      })
      return `            [${cells.join(', ')}  ],`
    }
    const blocks = shown(third).flatMap((k) => [
      '        [',
      ...shown(second).flatMap((j, index) => [
        ...(index === 3 && second > 6 ? ['            ..., '] : []),
        rowText(j, k),
      ]),
      '        ],',
    ])
    const head = `common_debug_cb_eval: ${name.padStart(24)} = (f32) ${op.padStart(10)}(a.weight{8, 8, 1, 1}, b{8, ${count}, 1, 1}}) = {${first}, ${second}, ${third}, 1}`
    return [head, '    [', ...blocks, '    ]', '    sum = 1.234567'].join('\n')
  }
  return [
    `number of input tokens = ${count}`,
    ...tokens.map((id) => `  ${id}`),
    node('embd', 'GET_ROWS', [WIDTH, count, 1]),
    node('norm-0', 'RMS_NORM', [WIDTH, count, 1]),
    node('attn_norm-0', 'MUL', [WIDTH, count, 1]),
    node('Qcur-0', 'MUL_MAT', [WIDTH, count, 1]),
    node('Qcur-0', 'RESHAPE', [4, 2, count]),
    node('Qcur-0', 'ROPE', [4, 2, count]),
    node('l_out-0', 'ADD', [WIDTH, count, 1]),
    node('result_norm', 'MUL', [WIDTH, count, 1]),
    node('result_output', 'MUL_MAT', [VOCAB_SIZE, 1, 1]),
    '',
    'llama_perf_context_print: load time = 1.0 ms',
    '',
  ].join('\n')
}

function checkpointJsonl(): string {
  const line = (team: string, index: number, checkpoint: string, at: number) =>
    JSON.stringify({
      checkpoint,
      team,
      token_idx: index,
      dtype: 'f32',
      shape: checkpoint === 'logits' ? '[151936]' : '[1,8]',
      values: Array.from({ length: 8 }, (_, value) => Math.fround(Math.sin(at * 8 + value))),
      ts: at,
    })
  const lines = []
  for (let at = 0; at < 4; at++) {
    lines.push(line('cuda', at, 'attn_norm', at), line('cuda', at, 'logits', at + 9))
    lines.push(line('llama.cpp', 40 + 2 * at, 'attn_norm', at), line('llama.cpp', 41 + 2 * at, 'logits', at + 9))
  }
  return `${lines.join('\n')}\n`
}

function teamJsonl(): string {
  return [0, 1, 2]
    .map((tok) => ({
      team: 'a',
      ref: 'hf',
      chk: 'logits',
      tok,
      dims: '[1,6]',
      dtype: 'float32',
      values: [1, 2, 3, 4, 5, tok],
    }))
    .map((record) => `${JSON.stringify(record)}\n`)
    .join('')
}
