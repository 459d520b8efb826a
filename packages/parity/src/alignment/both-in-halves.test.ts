import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, type ReferenceModel, readGguf } from '@plumbline/reference'
import { beforeAll, describe, expect, test } from 'vitest'
import { alterRun } from '../../test/helpers/alter-run.ts'
import { inHalves } from '../../test/helpers/in-halves.ts'
import { compare } from '../comparison/compare.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import type { OracleOptions } from '../oracle/oracle.ts'
import { parsePlanting } from '../oracle/planting.ts'
import { memoryRecording } from '../recording/memory-recording.ts'
import type { RecordedRun, Slab } from '../recording/recording.ts'
import { mapRuns } from './mappings.ts'

const PROMPT = [1, 403, 407, 261, 378]
const HEAD_LENGTH = 8
let model: ReferenceModel
let reference: RecordedRun
beforeAll(() => {
  model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  reference = recordInHalves({})
})

/** As Transformers leaves it: queries and keys of a head in two halves. */
function recordInHalves(options: OracleOptions, mistake?: string): RecordedRun {
  const planting = mistake === undefined ? {} : { planting: parsePlanting(mistake, model) }
  const { run } = recordOracle(model, PROMPT, { ...options, ...planting })
  return inHalves(run, HEAD_LENGTH, { engine: 'transformers', architecture: 'llama' })
}

const against = (candidate: RecordedRun, other = reference, options = { model }) =>
  compare(memoryRecording([candidate]), memoryRecording([other]), options)

/** The reference, but for one row of one checkpoint. */
const withRow = (checkpoint: string, position: number, change: (row: Float32Array | Float64Array) => void) =>
  alterRun(reference, {
    values: (name, values, { pos, width }) => {
      if (name === checkpoint) change(values.subarray((position - pos) * width, (position - pos + 1) * width))
      return undefined
    },
  })

/** A head's i and i + half, turned by some more than they were. */
function turnOn(row: Float32Array | Float64Array, angleOf: (pair: number) => number) {
  const half = HEAD_LENGTH / 2
  for (let head = 0; head < row.length; head += HEAD_LENGTH) {
    for (let pair = 0; pair < half; pair++) {
      const [a, b] = [row[head + pair]!, row[head + half + pair]!]
      const [cosine, sine] = [Math.cos(angleOf(pair)), Math.sin(angleOf(pair))]
      row[head + pair] = a * cosine - b * sine
      row[head + half + pair] = a * sine + b * cosine
    }
  }
}

describe('two sides that both have q and k in halves', () => {
  test('an honest 8-bit run is not said to have its rows in the other order', () => {
    const { verdict, alignment } = against(recordInHalves({ activations: 'Q8' }))
    expect(verdict.line).toMatch(/^SAME WITHIN quantised-activations NOISE.*every op gives what its own inputs should/)
    expect(verdict.exitCode).toBe(0)
    expect(alignment.mappings).toEqual(
      ['candidate', 'reference'].map((side) => `${side}: halves-to-neighbours(attn_q, attn_k; head length 8)`),
    )
  })

  test.each([
    ['rope-offset@2', 'rotates by the position plus 1'],
    ['rope-base=40000@2', 'uses the base (rope_theta) 40000 in the place of 10000'],
    ['rope-pairing@2', 'rotates the wrong pairs'],
    ['rows-not-permuted@2', 'has its rows in the other order'],
  ])('the planted mistake is the one that is named: %s', (mistake, words) => {
    const { verdict, divergence } = against(recordInHalves({}, mistake))
    expect(divergence).toMatchObject({ side: 'candidate', cause: { mistake: mistake.replace(/[@=].*/, '') } })
    expect(verdict.line).toContain(words)
    expect(verdict.line).not.toContain('IN THE REFERENCE')
  })

  test('a mistake of both is a mistake of both, and not an order of rows', () => {
    const wrong = recordInHalves({}, 'rope-offset@2')
    const { verdict } = against(wrong, alterRun(wrong, { identity: { engineVersion: '10' } }))
    expect(verdict).toMatchObject({ exitCode: 4 })
    expect(verdict.line).toMatch(/both part from the model file alike.*rotates by the position plus 1/)
  })

  test.each([
    ['a query turned too far', 'blk.2.attn_q_rope', 4, (pair: number) => 4 * 0.02 * 10_000 ** (-pair / 4)],
    ['a query of another base', 'blk.2.attn_q_rope', 1, (pair: number) => 9000 ** (-pair / 4) - 10_000 ** (-pair / 4)],
  ])('%s at one token is not blamed on the reference, nor on the pairs', (_, name, position, angle) => {
    const { verdict, divergence } = against(withRow(name, position, (row) => turnOn(row, angle)))
    expect(divergence).toMatchObject({ checkpoint: name, position, origin: 'local', side: 'candidate' })
    expect(verdict.line).not.toMatch(/IN THE REFERENCE|wrong pairs/)
  })

  test('keys that are a tenth too large are not said to rotate the wrong pairs', () => {
    const scaled = alterRun(reference, {
      values: (name, values) => {
        if (name === 'blk.2.attn_k_rope') for (const i of values.keys()) values[i]! *= 1.1
        return undefined
      },
    })
    const { divergence, verdict } = against(scaled)
    expect(divergence).toMatchObject({ checkpoint: 'blk.2.attn_k_rope', origin: 'local', side: 'candidate' })
    expect(verdict.line).toContain('no known mistake gives this')
  })

  test('stay in halves where no model tells the head length, and are compared all the same', () => {
    const { verdict, alignment, checkpoints } = compare(memoryRecording([reference]), memoryRecording([reference]))
    expect(verdict.line).toMatch(/^SAME: all/)
    expect(alignment.mappings).toEqual([])
    expect(checkpoints.map(({ name }) => name)).toContain('blk.2.attn_q_rope')
  })

  test('rows of which a few columns were recorded are compared all the same', () => {
    const columns = [0, 3, 4, 7]
    const whole = reference.checkpoints.get('blk.0.attn_q')!
    const slab = (index: number): Slab => {
      const { read, ...rest } = whole.slab(index)
      const some = (first = 0, rows = rest.count - first) =>
        Float64Array.from({ length: rows * columns.length }, (_, i) => {
          const row = read(first + Math.floor(i / columns.length), 1)
          return row[columns[i % columns.length]!]!
        })
      return { ...rest, coverage: { kind: 'columns', perRow: columns.length, columns: () => columns }, read: some }
    }
    const few = {
      id: reference.id,
      identity: reference.identity,
      checkpoints: new Map(reference.checkpoints).set(whole.name, {
        name: whole.name,
        width: whole.width,
        slabCount: whole.slabCount,
        slab,
      }),
    }
    const { verdict, checkpoints } = against(few)
    expect(verdict.line).toMatch(/^SAME: all/)
    expect(checkpoints.find(({ name }) => name === 'blk.0.attn_q')).toMatchObject({ compared: columns.length })
  })

  test('are left as they are where the GGUF has halves itself, whether or not they state the architecture', () => {
    const silent = alterRun(reference, { identity: { architecture: undefined } })
    for (const run of [silent, alterRun(silent, { identity: { architecture: 'qwen2' } })]) {
      const { candidate } = mapRuns(run, run, { headLength: HEAD_LENGTH, ropePairing: 'halves' })
      expect(candidate).toMatchObject({ mappings: [], run: { checkpoints: run.checkpoints } })
    }
  })
})
