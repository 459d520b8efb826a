import { fileURLToPath } from 'node:url'
import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, type ReferenceModel, readGguf } from '@plumbline/reference'
import { beforeAll, describe, expect, test } from 'vitest'
import { alterRun } from '../../test/helpers/alter-run.ts'
import { openRecording } from '../formats/open-recording.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import { parsePlanting } from '../oracle/planting.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { roundedRun } from '../verdict/rounded-run.ts'
import { type Arithmetic, ATTENTION_ROUNDINGS, uniformArithmetic } from './arithmetic.ts'
import { inferArithmetic } from './infer-arithmetic.ts'
import { roundToHalf } from './narrow-floats.ts'
import { NO_ROUNDING, Q8_BLOCKS, ROUNDINGS, type Rounding } from './rounding.ts'

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const PROMPT = [1022, 450, 268, 10, 276, 275, 548, 272, 331]
const ALL = { matrices: true, attention: true }
const NOTHING = { matrices: false, attention: false }
/** haiku-nano: rows longer than 256, so that no two roundings are the same. */
let model: ReferenceModel
beforeAll(() => {
  model = loadModel(readGguf(fromHere('../../../../models/haiku-nano/haiku-nano-q8_0.gguf')))
})

const record = (arithmetic: Arithmetic, mistake?: string): RecordedRun =>
  recordOracle(model, PROMPT, {
    maxTokens: 3,
    arithmetic,
    ...(mistake !== undefined && { planting: parsePlanting(mistake, model) }),
  }).run

const layersOnly = (run: RecordedRun) =>
  alterRun(run, {
    values: (name) => (/^(token_embd|blk\.\d+\.output|output_norm|logits)$/.test(name) ? undefined : false),
  })

describe('how an engine rounds is told from what its ops gave', () => {
  test.each(
    // Of weights without minima, Q8_1 is Q8_0.
    ROUNDINGS.filter(({ keepsSums }) => !keepsSums).map((rounding) => [rounding.name, rounding] as const),
  )('%s', (_, rounding) => {
    const run = record(uniformArithmetic(rounding))
    const { families } = inferArithmetic(run, model, NOTHING)!
    expect(families.map(({ kind, phase, explained, words }) => [kind, phase, explained, words])).toEqual([
      ['Q8_0', 'prefill', 'known', rounding.words],
      ['Q8_0', 'decode', 'known', rounding.words],
      ['attention', 'both', 'known', 'unrounded attention'],
    ])
    const [layers] = inferArithmetic(layersOnly(run), model, NOTHING)!.families.filter(({ kind }) => kind === 'layers')
    expect(layers).toMatchObject({ explained: 'known', bits: rounding.bits })
  })

  test.each(ATTENTION_ROUNDINGS.map((rounding) => [rounding.words, rounding] as const))('%s', (words, rounding) => {
    const run = record(uniformArithmetic(Q8_BLOCKS, rounding))
    expect(inferArithmetic(run, model, NOTHING)!.families.at(-1)).toMatchObject({ explained: 'known', words })
    const [layers] = inferArithmetic(layersOnly(run), model, NOTHING)!.families.filter(({ kind }) => kind === 'layers')
    expect(layers).toMatchObject({ explained: 'known', bits: 8 })
  })

  test.each([
    ['weight-row-shifted@2.ffn_up'],
    ['weight-transposed@0.attn_q'],
    ['gqa-first-head-only@3'],
    ['columns-dropped@1.ffn_down'],
  ])('one op that is wrong changes nothing in that: %s', (mistake) => {
    const { families } = inferArithmetic(record(uniformArithmetic(Q8_BLOCKS), mistake), model, NOTHING)!
    expect(families.map(({ explained }) => explained)).toEqual(['known', 'known', 'known'])
    expect(families[0]!.words).toBe(Q8_BLOCKS.words)
  })

  test.each([
    [
      'haiku-nano',
      fromHere('../../../../models/haiku-nano/haiku-nano-q8_0.gguf'),
      '8-bit inputs in blocks of 32 with steps in F16',
    ],
    ['stories260K', committedAsset('stories260K/stories260K-f32.gguf'), 'unrounded inputs'],
  ])('llama.cpp on %s', async (name, path, words) => {
    const recording = await openRecording(fromHere(`../../../../reference-logs/${name}/llama.cpp/prompt-0.safetensors`))
    const { families } = inferArithmetic(recording.runs[0]!, loadModel(readGguf(path)), NOTHING)!
    recording.close()
    expect(families.map((family) => [family.explained, family.words])).toEqual([
      ['known', words],
      ['known', 'attention in F16'],
    ])
  })

  test('values that are kept in F16 hide what is finer than that, and nothing else', () => {
    const run = roundedRun(model, PROMPT, roundToHalf)
    expect(inferArithmetic(run, model, NOTHING)!.families.map(({ explained, bits }) => [explained, bits])).toEqual([
      ['known', 32],
      ['known', 32],
    ])
  })
})

describe('a rounding that is not in the list', () => {
  const like = (changes: Partial<Rounding>) => uniformArithmetic({ ...Q8_BLOCKS, ...changes })
  const explained = (run: RecordedRun, stated: typeof ALL) =>
    inferArithmetic(run, model, stated)!.families.flatMap(({ kind, explained }) => (kind === 'Q8_0' ? [explained] : []))

  test('is excused as noise of 8 bits where the run says that it rounds', () => {
    const run = record(like({ block: 64 }))
    expect(explained(run, ALL)).toEqual(['noise', 'noise'])
    expect(explained(run, NOTHING)).toEqual(['nothing', 'nothing'])
  })

  test.each([
    ['has 6 bits', like({ step: (extreme) => ({ divide: Math.abs(extreme) / 31, multiply: Math.abs(extreme) / 31 }) })],
    [
      'makes all a hundredth smaller',
      like({ step: (x) => ({ divide: Math.abs(x) / 127, multiply: (0.99 * Math.abs(x)) / 127 }) }),
    ],
    [
      'cuts off what is less than a sixteenth',
      uniformArithmetic({ ...NO_ROUNDING, round: (x) => Math.trunc(16 * x) / 16 }),
    ],
  ])('is not where it %s', (_, arithmetic) => {
    expect(explained(record(arithmetic), ALL)).not.toContain('known')
    expect(explained(record(arithmetic), ALL)).toContain('nothing')
  })
})
