import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, readGguf } from '@plumbline/reference'
import { describe, expect, test } from 'vitest'
import { roundToHalf } from '../arithmetic/narrow-floats.ts'
import { compare } from '../comparison/compare.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import { MemoryRun, memoryRecording } from '../recording/memory-recording.ts'
import { LogitOddities } from './logit-oddities.ts'

const IDS = [1, 403, 407, 261, 378]
const vector = Float32Array.from({ length: 512 }, (_, i) => 4 * Math.sin(i * i + 1))

/** Both sides hold the same logits, and nothing else. */
function alike(width: number, value: (row: number, column: number) => number) {
  const [candidate, reference] = ['a', 'b'].map((engine) => {
    const run = new MemoryRun(engine, { engine, promptTokenIds: IDS })
    const values = Float32Array.from({ length: IDS.length * width }, (_, i) => value(Math.floor(i / width), i % width))
    run.add('logits', { pos: 0 }, width, values)
    return memoryRecording([run])
  })
  return compare(candidate!, reference!)
}

describe('logits alone that both sides hold alike, and no forward pass gives', () => {
  test.each<[string, string, number, (row: number, column: number) => number]>([
    ['of a vocabulary of one', 'narrow-logits', 1, (row) => row + 1],
    ['a counter over all rows', 'ordered-row', 512, (row, column) => 512 * row + column],
    ['a counter downwards that begins anew', 'ordered-row', 512, (_, column) => 99 - (column % 100)],
    ['one vector times the position', 'multiple-row', 512, (row, column) => (row + 1) * vector[column]!],
    ['that in F16', 'multiple-row', 512, (row, column) => roundToHalf((row + 1) * vector[column]!)],
    ['one vector by turns reversed', 'multiple-row', 512, (row, column) => (-1) ** row * (row + 1) * vector[column]!],
  ])('%s', (_, kind, width, value) => {
    const { verdict, candidate, reference } = alike(width, value)
    expect(verdict).toMatchObject({ outcome: 'untrusted', exitCode: 4 })
    for (const { unfit } of [candidate, reference]) expect(unfit.map((finding) => finding.kind)).toContain(kind)
  })

  test('are told from those that are only near each other', () => {
    expect(
      alike(512, (row, column) => (row + 1) * (vector[column]! + 0.01 * Math.cos(column + row))).verdict.exitCode,
    ).toBe(4)
    const near = alike(512, (row, column) => (row + 1) * (vector[column]! + 0.1 * Math.cos((column + 3) * (row + 7))))
    expect(near.verdict.outcome).toBe('same')
  })
})

test('the logits of a token over and over, which come to rest, are none of these', () => {
  const model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  for (const token of [1, 403, 407, 432]) {
    const { run } = recordOracle(model, Array(48).fill(token), { maxTokens: 16 })
    const logits = run.checkpoints.get('logits')!
    const oddities = new LogitOddities()
    for (let index = 0; index < logits.slabCount; index++) {
      const { pos, count, read } = logits.slab(index)
      for (let row = 0; row < count; row++) expect(oddities.look(pos + row, read(row, 1))).toBeUndefined()
    }
  }
})
