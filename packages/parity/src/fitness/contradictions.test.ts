import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/recordings.ts'
import { coverRows } from '../alignment/row-cover.ts'
import { MemoryRun } from '../recording/memory-recording.ts'
import type { RecordedRun, Slab } from '../recording/recording.ts'
import { contradictions } from './contradictions.ts'

/** No multiple of four, and enough of them for a second thread. */
const [WIDTH, POSITIONS] = [4098, 400]
const INPUTS = ['token_embd', 'blk.0.attn_output', 'blk.0.ffn_gate', 'blk.0.ffn_up']

/** Values of each op by position and column, in memory and in a file too. */
function runOf(wrong: (name: string, position: number, column: number) => number): RecordedRun {
  const run = new MemoryRun('run', { architecture: 'llama' })
  const made = new Map<string, Float32Array>()
  const add = (name: string, value: (at: number) => number) => {
    const values = Float32Array.from({ length: POSITIONS * WIDTH }, (_, at) =>
      Math.fround(value(at) + wrong(name, Math.floor(at / WIDTH), at % WIDTH)),
    )
    made.set(name, values)
    run.add(name, { pos: 0 }, WIDTH, values)
  }
  for (const [index, name] of INPUTS.entries()) add(name, (at) => Math.sin(at * (index + 1) + index) * 6)
  const [left, right, gate, up] = INPUTS.map((name) => made.get(name)!) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  add('blk.0.ffn_input', (at) => left[at]! + right[at]!)
  add('blk.0.ffn_act', (at) => (gate[at]! / (1 + Math.exp(-gate[at]!))) * up[at]!)
  return run
}

/** The same, its rows where a thread reads them by itself. */
function stored(run: RecordedRun): RecordedRun {
  const descriptor = openSync(join(temporaryFolder(), 'values'), 'w+')
  onTestFinished(() => closeSync(descriptor))
  let end = 0
  const checkpoints = [...run.checkpoints].map(([name, checkpoint]) => {
    const slab = checkpoint.slab(0)
    const values = slab.read()
    const from = end
    end += writeSync(descriptor, values, 0, values.byteLength, from)
    const where = (first: number) => ({ descriptor, offset: from + 4 * first * WIDTH })
    const inFile: Slab = { ...slab, read: Object.assign(slab.read.bind(slab), { stored: where }) }
    return [name, { name, width: WIDTH, slabCount: 1, slab: () => inFile }] as const
  })
  return { ...run, id: run.id, identity: run.identity, checkpoints: new Map(checkpoints) }
}

const findingsOf = (run: RecordedRun) =>
  contradictions(run, new Map([...run.checkpoints].map(([name, checkpoint]) => [name, coverRows(checkpoint)])))

const honest = runOf(() => 0)
const faults = {
  'a sum that is off at its last position': runOf((name, position) =>
    name === 'blk.0.ffn_input' && position === POSITIONS - 1 ? 0.05 : 0,
  ),
  'one activation that is far off': runOf((name, position, column) =>
    name === 'blk.0.ffn_act' && position === 137 && column === WIDTH - 1 ? 40 : 0,
  ),
  'a value that is none': runOf((name, position, column) =>
    name === 'blk.0.ffn_gate' && position === 5 && column === 0 ? Number.NaN : 0,
  ),
}

test('what the inputs give is no contradiction, read here or by threads', () => {
  expect(findingsOf(honest)).toEqual([])
  expect(findingsOf(stored(honest))).toEqual([])
})

test.each(Object.entries(faults))('%s is found, and the same by threads', (_, run) => {
  const findings = findingsOf(run)
  expect(findings).toHaveLength(1)
  expect(findingsOf(stored(run))).toEqual(findings)
})

test('told is where it is', () => {
  const [sum, activation, none] = Object.values(faults).map((run) => findingsOf(run)[0]!)
  expect(sum).toMatchObject({ checkpoint: 'blk.0.ffn_input', position: POSITIONS - 1 })
  expect(activation).toMatchObject({ checkpoint: 'blk.0.ffn_act', position: 137 })
  expect(none).toMatchObject({ checkpoint: 'blk.0.ffn_act', position: 5 })
})
