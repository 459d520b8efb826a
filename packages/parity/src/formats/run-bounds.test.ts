import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/helpers/recordings.ts'
import { openRecording } from './open-recording.ts'
import { dimensionsOf } from './sidecar.ts'

const line = (team: string, checkpoint: string) =>
  `{"checkpoint":"${checkpoint}","team":"${team}","token_idx":0,"dtype":"f32","shape":"[1]","values":[1.5]}\n`

function written(lines: number, lineAt: (index: number) => string): { path: string; last: number } {
  const path = join(temporaryFolder(), 'x.jsonl')
  const text = Array.from({ length: lines }, (_, index) => lineAt(index))
  writeFileSync(path, text.join(''))
  return { path, last: text.slice(0, -1).join('').length }
}

it('JSONL in which every line is of another team is refused before it fills the memory', async () => {
  const { path, last } = written(4097, (index) => line(`t${index}`, 'logits'))
  await expect(openRecording(path)).rejects.toMatchObject({
    code: 'INVALID_RECORDING',
    message: `${path}, line 4097, byte ${last}: begins run 4097; at most 4096 are read of a file`,
  })
})

it('JSONL with a checkpoint of another name in every line is refused before it fills the memory', async () => {
  const { path, last } = written(65_537, (index) => line('t', `blk_${index}_x`))
  await expect(openRecording(path)).rejects.toMatchObject({
    code: 'INVALID_RECORDING',
    message: `${path}, line 65537, byte ${last}: names checkpoint 65537 of the runs; at most 65536 are read of a file`,
  })
}, 60_000)

it('as many runs as are allowed are read', async () => {
  const { path } = written(4096, (index) => line(`t${index}`, 'logits'))
  const recording = await openRecording(path)
  expect([recording.runs.length, recording.faults]).toEqual([4096, []])
  recording.close()
})

it('a recording of more checkpoints than a call has room for arguments has its layers counted', () => {
  const widths = new Map(Array.from({ length: 200_000 }, (_, index) => [`blk_${index}_x`, 4]))
  expect(dimensionsOf(widths)).toEqual({})
  expect(dimensionsOf(widths.set('blk.7.output', 4))).toEqual({ layers: 8 })
})
