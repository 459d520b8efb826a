import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/helpers/recordings.ts'
import type { Recording } from '../recording/recording.ts'
import { openRecording } from './open-recording.ts'

type Line = [team: string, index: number, checkpoint: string]

function text(lines: readonly Line[], change: object = {}): string {
  return lines
    .map(([team, token_idx, checkpoint]) =>
      JSON.stringify({
        checkpoint,
        team,
        token_idx,
        dtype: 'f32',
        shape: '[1,4]',
        values: [1, 2, 3, token_idx],
        ...change,
      }),
    )
    .map((line) => `${line}\n`)
    .join('')
}

async function summary(
  content: string,
): Promise<{ runs: Record<string, number[]>; faults: string[]; recording: Recording }> {
  const folder = temporaryFolder()
  const path = join(folder, 'x')
  writeFileSync(path, content)
  const recording = await openRecording(path)
  recording.close()
  const runs = Object.fromEntries(
    recording.runs.flatMap(({ id, checkpoints }) =>
      [...checkpoints.values()].map((checkpoint) => [
        `${id} ${checkpoint.name}`,
        Array.from({ length: checkpoint.slabCount }, (_, index) => checkpoint.slab(index).pos),
      ]),
    ),
  )
  return { runs, faults: recording.faults.map(({ kind, line }) => `${kind} ${line}`), recording }
}

it('tells past tokens from a process-wide counter', async () => {
  const lines: Line[] = [
    ['past', 3, 'norm'],
    ['counter', 41, 'norm'],
    ['past', 3, 'logits'],
    ['counter', 42, 'logits'],
    ['past', 4, 'norm'],
    ['counter', 43, 'norm'],
    ['past', 4, 'logits'],
    ['counter', 44, 'logits'],
  ]
  const { runs, faults } = await summary(text(lines))
  expect(faults).toEqual([])
  expect(runs).toEqual({ 'past norm': [3, 4], 'past logits': [3, 4], 'counter norm': [0, 1], 'counter logits': [0, 1] })
})

it('tells repeated prompts and interleaved requests apart', async () => {
  const restarted: Line[] = [0, 1, 2, 0, 1].map((index) => ['a', index, 'logits'])
  expect((await summary(text(restarted))).runs).toEqual({ 'a logits': [0, 1, 2], 'a#2 logits': [0, 1] })
  const interleaved: Line[] = [5, 6, 0, 7, 1, 8, 2].map((index) => ['a', index, 'logits'])
  expect((await summary(text(interleaved))).runs).toEqual({ 'a logits': [5, 6, 7, 8], 'a#2 logits': [0, 1, 2] })
})

it('sees records that are there twice, cut, or of another width', async () => {
  const lines: Line[] = [0, 1, 1, 2].map((index) => ['a', index, 'logits'])
  expect((await summary(text(lines))).faults).toEqual(['duplicate 3'])
  expect((await summary(text(lines.slice(0, 2)).slice(0, -9))).faults).toEqual(['truncated 2'])
  expect((await summary(text([['a', 0, 'x']]) + text([['a', 1, 'x']], { shape: '[5]' }))).faults).toEqual([
    'wrong-count 2',
  ])
  expect((await summary(text([['a', 0, 'x']]) + text([['a', 1, 'x']], { shape: '[3]' }))).faults).toEqual([
    'wrong-count 2',
  ])
  expect((await summary(text([['a', 0, 'x']]) + text([['a', 1, 'x']], { dtype: 'q4' }))).faults).toEqual([
    'malformed 2',
  ])
})

it('finds on reading that a long array is not what its shape says', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'x')
  for (const count of [3000, 2990, 3010]) {
    const values = Array.from({ length: count }, (_, index) => index / 7)
    const line = { checkpoint: 'logits', team: 'a', token_idx: 0, dtype: 'f32', shape: '[3000]', values }
    writeFileSync(path, `${JSON.stringify(line)}\n`)
    const recording = await openRecording(path)
    const slab = recording.runs[0]!.checkpoints.get('logits')!.slab(0)
    if (count === 3000) expect(slab.read()).toEqual(Float32Array.from(values))
    else expect(() => slab.read()).toThrow(/more values than|a number must stand here/)
    recording.close()
  }
})

it('takes the first few values for a prefix', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'x')
  writeFileSync(path, text([['a', 0, 'logits']], { shape: '[151936]' }))
  const recording = await openRecording(path)
  const checkpoint = recording.runs[0]!.checkpoints.get('logits')!
  expect([checkpoint.width, checkpoint.slab(0).coverage]).toEqual([151_936, { kind: 'prefix', perRow: 4 }])
  expect(checkpoint.slab(0).read()).toEqual(Float32Array.of(1, 2, 3, 0))
  recording.close()
})

it('reads the other dialect', async () => {
  const line = (tok: number) =>
    `${JSON.stringify({ team: 't', ref: 'hf', chk: 'logits', tok, dims: [1, 2], dtype: 'float32', values: [1, tok] })}\n`
  const { runs, faults, recording } = await summary(line(0) + line(1))
  expect([recording.format, runs, faults]).toEqual(['team-jsonl', { 't/hf logits': [0, 1] }, []])
})
