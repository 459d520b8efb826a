import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { readSafetensors } from '@plumbline/reference'
import { expect, it } from 'vitest'
import { llamaDebug, llamaResults, npy, PROMPT_TOKEN_IDS } from '../../test/helpers/example-recordings.ts'
import { flatten, temporaryFolder } from '../../test/helpers/recordings.ts'
import type { Recording } from '../recording/recording.ts'
import { openRecording } from './open-recording.ts'

const FIXTURES = join(import.meta.dirname, '../../test/fixtures')
const STORIES = join(import.meta.dirname, '../../../protocol/test-vectors/stories260K')

async function opened<T>(path: string, use: (recording: Recording) => T): Promise<T> {
  const recording = await openRecording(path)
  try {
    return use(recording)
  } finally {
    recording.close()
  }
}

async function openedText<T>(content: string | Uint8Array, use: (recording: Recording) => T): Promise<T> {
  const folder = temporaryFolder()
  const path = join(folder, 'some-name')
  writeFileSync(path, content)
  return await opened(path, use)
}

it('reads Transformers: each prompt a run, q and k of llama in halves', async () => {
  await opened(join(STORIES, 'transformers'), (recording) => {
    expect(recording).toMatchObject({ format: 'transformers-safetensors', faults: [] })
    expect(recording.runs.map(({ id }) => id)).toEqual(['prompt-0', 'prompt-1', 'prompt-2'])
    const [run] = recording.runs
    expect(run!.identity).toMatchObject({
      engine: 'transformers',
      architecture: 'llama',
      layers: 5,
      embeddingLength: 64,
      vocabSize: 512,
      activations: 'F64',
      ropeOrder: 'halves',
      promptTokenIds: [1, 403, 407, 261, 378],
    })
    expect(run!.greedy!.gaps).toHaveLength(run!.greedy!.tokenIds.length)
    expect([...run!.checkpoints.keys()].slice(0, 4)).toEqual([
      'token_embd',
      'blk.0.attn_norm',
      'blk.0.attn_q',
      'blk.0.attn_k',
    ])
    const expected = readSafetensors(join(STORIES, 'transformers/prompt-0.safetensors'))
    for (const [name, checkpoint] of run!.checkpoints)
      expect(checkpoint.slab(0).read()).toEqual(expected.get(name)!.values)
  })
})

it('reads the largest logits of each position, and all of the last', async () => {
  const folder = temporaryFolder()
  const header = {
    logits_top_ids: { dtype: 'I32', shape: [2, 2], data_offsets: [0, 16] },
    logits_top_values: { dtype: 'F32', shape: [2, 2], data_offsets: [16, 32] },
    logits_last: { dtype: 'F32', shape: [1, 3], data_offsets: [32, 44] },
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.from(BigUint64Array.of(BigInt(json.length)).buffer)
  const ids = Buffer.from(Int32Array.of(2, 0, 1, 2).buffer)
  const values = Buffer.from(Float32Array.of(9, 8, 7, 6, 5, 7, 6).buffer)
  writeFileSync(join(folder, 'x.safetensors'), Buffer.concat([length, json, ids, values]))
  writeFileSync(join(folder, 'x.json'), JSON.stringify({ ids: [4, 5] }))
  await opened(join(folder, 'x.safetensors'), (recording) => {
    expect(recording.faults).toEqual([])
    expect(flatten(recording)['x logits 3']).toMatchObject([
      { pos: 0, kind: 'columns', columns: [2, 0], values: [9, 8] },
      { pos: 1, kind: 'all', values: [5, 7, 6] },
    ])
  })
})

it('reads llama.cpp JSON: a run a prompt, its ten largest logits', async () => {
  await opened(join(STORIES, 'llama.cpp.json'), (recording) => {
    expect(recording.runs.map(({ id, identity }) => [id, identity.engine, identity.kvCache])).toEqual([
      ['prompt-0', 'llama.cpp', 'f16'],
      ['prompt-1', 'llama.cpp', 'f16'],
      ['prompt-2', 'llama.cpp', 'f16'],
    ])
    const slab = recording.runs[0]!.checkpoints.get('logits')!.slab(0)
    expect([slab.count, slab.coverage.kind, slab.coverage.perRow, slab.read(1, 1)[0]]).toEqual([
      5,
      'columns',
      10,
      Math.fround(18.4599),
    ])
  })
})

it.each(['numpy-savez.npz', 'numpy-savez-compressed.npz'])(
  'reads %s: ids, float32, float16 in three dimensions',
  async (name) => {
    await opened(join(FIXTURES, name), (recording) => {
      expect(recording).toMatchObject({ format: 'npz', faults: [] })
      const [run] = recording.runs
      expect(run!.identity.promptTokenIds).toEqual([1, 7, 3])
      expect([...run!.checkpoints.get('logits')!.slab(0).read(1, 1)]).toEqual(
        [4, 5, 6, 7].map((value) => Math.fround(value / 3)),
      )
      const query = run!.checkpoints.get('blk.0.attn_q')!
      expect([query.width, query.slab(0).count, query.slab(0).dtype]).toEqual([8, 3, 'F16'])
      expect(query.slab(0).read(2, 1)[7]).toBeCloseTo(23 / 7, 2)
    })
  },
)

it('reads a folder of .npy, and refuses Fortran order', async () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'ids.npy'), npy('<i8', [2], BigInt64Array.of(3n, 4n)))
  writeFileSync(join(folder, 'logits.npy'), npy('<f8', [2, 2], Float64Array.of(1, 2, 3, 4)))
  await opened(folder, (recording) => {
    expect(recording.runs[0]!.identity.promptTokenIds).toEqual([3, 4])
    expect(recording.runs[0]!.checkpoints.get('logits')!.slab(0).read()).toEqual(Float64Array.of(1, 2, 3, 4))
  })
  await expect(openRecording(join(FIXTURES, 'fortran-order.npy'))).rejects.toThrow(/Fortran order/)
})

it('reads raw float32 by its manifest, and none outside of its folder', async () => {
  const folder = temporaryFolder()
  const inner = join(folder, 'inner')
  mkdirSync(inner)
  for (const at of [folder, inner]) writeFileSync(join(at, 'x.f32'), new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer))
  const manifest = { format: 'raw-f32', data: 'x.f32', ids: [5, 6], tensors: [{ name: 'logits', shape: [2, 2] }] }
  const path = join(inner, 'x.json')
  writeFileSync(path, JSON.stringify(manifest))
  await opened(path, (recording) => {
    expect(recording).toMatchObject({ format: 'raw-f32', faults: [] })
    expect(recording.runs[0]!.checkpoints.get('logits')!.slab(0).read(1, 1)).toEqual(Float32Array.of(3, 4))
  })
  for (const data of ['../x.f32', join(folder, 'x.f32'), 'a/../../x.f32']) {
    writeFileSync(path, JSON.stringify({ ...manifest, data }))
    await expect(openRecording(path)).rejects.toThrow(/leads out of the manifest's folder/)
  }
  writeFileSync(path, JSON.stringify({ ...manifest, sha256: '0'.repeat(64) }))
  await opened(path, ({ faults }) => expect(faults).toMatchObject([{ kind: 'checksum' }]))
})

it('reads what llama-results wrote, whose logits are declared the other way around', async () => {
  await openedText(llamaResults(), (recording) => {
    expect(recording).toMatchObject({ format: 'llama-results-gguf', faults: [] })
    expect(recording.runs[0]!.identity).toMatchObject({
      promptTokenIds: PROMPT_TOKEN_IDS,
      vocabSize: 12,
      modelName: 'example.gguf',
    })
    const [row] = recording.runs[0]!.checkpoints.get('logits')!.slab(0).read(1, 1)
    expect(row).toBe(Math.fround(Math.sin(12) * 5))
  })
  await expect(openRecording(join(STORIES, 'stories260K-f32.gguf'))).rejects.toThrow(/is a model|llama-results/)
})

it('reads what llama-eval-callback printed: the first and last three of each dimension', async () => {
  await openedText(llamaDebug(), (recording) => {
    expect(recording).toMatchObject({ format: 'llama-debug-text', faults: [] })
    const [run] = recording.runs
    expect(run).toMatchObject({ id: 'prompt', printedDecimals: 4, identity: { promptTokenIds: PROMPT_TOKEN_IDS } })
    expect([...run!.checkpoints.keys()]).toEqual([
      'token_embd',
      'blk.0.attn_norm',
      'blk.0.attn_q',
      'blk.0.attn_q_rope',
      'blk.0.output',
      'output_norm',
      'logits',
    ])
    const flat = flatten(recording)
    expect(flat['prompt token_embd 8']![1]).toMatchObject({ pos: 1, kind: 'columns', columns: [0, 1, 2, 5, 6, 7] })
    // Two heads of four: all of them are printed.
    expect(flat['prompt blk.0.attn_q_rope 8']![2]).toMatchObject({ pos: 2, kind: 'all' })
    // The last position alone has logits.
    expect(flat['prompt logits 12']).toMatchObject([{ pos: 2, columns: [0, 1, 2, 9, 10, 11] }])
    expect(flat['prompt token_embd 8']![0]!.values[1]).toBeCloseTo(Math.sin(4 + 3) * 2, 4)
  })
})

it('tells a warm-up from the prompt, and puts chunks of a prompt together', async () => {
  const [ids, nodes] = [
    llamaDebug().split('common_debug')[0]!,
    llamaDebug().slice(llamaDebug().indexOf('common_debug')),
  ]
  const warmUp = llamaDebug([9]).slice(llamaDebug([9]).indexOf('common_debug'))
  await openedText(ids + warmUp + nodes, ({ runs }) => expect(runs.map(({ id }) => id)).toEqual(['pass-1', 'prompt']))
  await openedText(ids + warmUp + warmUp + warmUp, ({ runs }) => {
    expect(runs.map(({ id }) => id)).toEqual(['prompt'])
    expect(runs[0]!.checkpoints.get('token_embd')!.slabCount).toBe(3)
  })
})

it.each([
  ['', /is empty/],
  ['hello', /no format that is known/],
  ['{"a":', /neither JSON nor JSONL/],
  ['[1,2]', /no format that is known/],
  [gzipSync('{}'), /compressed with gzip: unpack it first/],
  [zstdCompressSync('{}'), /compressed with zstd: unpack it first/],
  ['PK\x03\x04 and nothing more', /no sound zip/],
  ['PAR1 and nothing more', /no footer/],
  ['GGUF', /it was cut/],
])('says what is wrong with %j', async (content, message) => {
  await expect(openedText(content, () => undefined)).rejects.toThrow(message)
})
