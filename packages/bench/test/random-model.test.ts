import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { measureGeneration } from '../src/native-programs.ts'
import { HALF_BILLION, RANDOM_MIXES, writeRandomModel } from '../src/random-model/random-model.ts'
import { randomTensor, TENSOR_TYPES, type TensorTypeName } from '../src/random-model/random-tensor.ts'
import { madeUpVocabulary } from '../src/random-model/vocabulary.ts'
import { workerScript } from '../src/servers.ts'

const small = { width: 256, layers: 8, heads: 4, kvHeads: 2, feedForward: 512, vocabulary: 600 }

describe.each(RANDOM_MIXES)('a model of random weights, %s', (mix) => {
  let folder: string
  let path: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
    path = join(folder, 'model.gguf')
    await writeRandomModel(path, mix, small)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('is one that the worker can run', () => {
    const inspection = JSON.parse(
      execFileSync(process.execPath, [workerScript, 'inspect', '--json', path], { encoding: 'utf8' }),
    )
    expect(inspection).not.toHaveProperty('problem')
    expect(inspection).toMatchObject({ architecture: 'qwen2', metadata: { 'qwen2.block_count': 8 } })
    const types = new Set<string>(inspection.tensors.map(({ type }: { type: string }) => type))
    const expected = { q8_0: ['Q8_0'], bf16: ['BF16'], q4_k_m: ['Q4_K', 'Q5_0', 'Q6_K', 'Q8_0'] }[mix]
    expect([...types].toSorted()).toEqual([...expected, 'F32'].toSorted())
  })

  test('computes, and is timed at all lengths that it has room for', async () => {
    const generation = await measureGeneration({
      ...{ model: path, threads: 1, precision: 'fast', repetitions: 2, decode: 4 },
      prefill: [16, 5_000],
    })
    expect(generation.prefill).toEqual([{ tokens: 16, seconds: [expect.any(Number), expect.any(Number)] }])
    expect(generation.decode).toMatchObject({ tokens: 4 })
    for (const seconds of generation.decode!.seconds) expect(seconds).toBeGreaterThan(0)
    expect(generation.weight_bytes_per_token).toBeGreaterThan(100_000)
  })

  test('is the same each time, and leaves nothing half-written', async () => {
    const before = readFileSync(path)
    await writeRandomModel(path, mix, small)
    expect(before.equals(readFileSync(path))).toBe(true)
    expect(readdirSync(folder)).toEqual(['model.gguf'])
  })
})

test.each(Object.keys(TENSOR_TYPES) as TensorTypeName[])(
  'the scales of %s are ordinary numbers of the right size',
  (type) => {
    const { blockBytes, scales } = TENSOR_TYPES[type]
    const bytes = randomTensor(type, 1024, 1024, 1)
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    for (let block = 0; block < bytes.length; block += blockBytes) {
      for (const offset of scales) {
        const exponent = ((view.getUint16(block + offset, true) >> 10) & 31) - 15
        expect(exponent).toBeGreaterThanOrEqual(-14)
        expect(exponent).toBeLessThan(0)
      }
      if (type === 'BF16') expect((view.getUint16(block, true) >> 7) & 255).toBe(122)
    }
  },
)

test('the vocabulary is as large as a real one, without a token twice', () => {
  const { tokens, merges, types } = madeUpVocabulary(HALF_BILLION.vocabulary)
  expect(tokens).toHaveLength(151_936)
  expect(new Set(tokens).size).toBe(151_936)
  expect(types).toHaveLength(151_936)
  expect(merges).toHaveLength(151_936 - 256 - 3)
})
