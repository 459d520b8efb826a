import { execFileSync } from 'node:child_process'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { awkwardRecording, flatten, temporaryFolder } from '../../../test/helpers/recordings.ts'
import { openRecording } from '../open-recording.ts'
import { WRITTEN_FORMATS, writeRecording } from './write-recording.ts'

const VECTORS = join(import.meta.dirname, '../../../../protocol/test-vectors/stories260K')

it.each(WRITTEN_FORMATS)('%s gives back every value to the bit, and what was said of the runs', async (format) => {
  const folder = temporaryFolder()
  const path = join(folder, 'x')
  const original = awkwardRecording()
  await writeRecording(original, format, path)
  const again = await openRecording(path)
  expect(again.faults).toEqual([])
  expect(again.runs.map(({ id, identity }) => ({ id, identity }))).toEqual(
    original.runs.map(({ id, identity }) => ({ id, identity })),
  )
  expect(flatten(again)).toEqual(flatten(original))
  again.close()
})

it.each(WRITTEN_FORMATS)('%s keeps the largest logits of llama.cpp and their columns', async (format) => {
  const folder = temporaryFolder()
  const path = join(folder, 'x')
  const original = await openRecording(join(VECTORS, 'llama.cpp.json'))
  await writeRecording(original, format, path)
  const again = await openRecording(path)
  expect(again.faults).toEqual([])
  expect(flatten(again)).toEqual(flatten(original))
  expect(again.runs.map(({ greedy }) => greedy)).toEqual(original.runs.map(({ greedy }) => greedy))
  again.close()
})

it('writes the same bytes each time, and refuses to overwrite', async () => {
  const folder = temporaryFolder()
  const { readFileSync } = await import('node:fs')
  for (const format of WRITTEN_FORMATS) {
    const path = join(folder, format)
    await writeRecording(awkwardRecording(), format, path)
    const first = readFileSync(path)
    await expect(writeRecording(awkwardRecording(), format, path)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await writeRecording(awkwardRecording(), format, path, { overwrite: true })
    expect(readFileSync(path).equals(first)).toBe(true)
  }
})

it('does not make a recording with faults look sound', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'cut.jsonl')
  writeFileSync(
    path,
    '{"checkpoint":"logits","team":"a","token_idx":0,"dtype":"f32","shape":"[2]","values":[1,2]}\n{"check',
  )
  const cut = await openRecording(path)
  expect(cut.faults).toMatchObject([{ kind: 'truncated', line: 2, byteOffset: 92 }])
  await expect(writeRecording(cut, 'npz', join(folder, 'x'))).rejects.toMatchObject({ code: 'INVALID_RECORDING' })
  cut.close()
})

it.skipIf(process.platform === 'win32')(
  'does not put a file where a pipe or a folder was, whatever is asked for',
  async () => {
    const folder = temporaryFolder()
    const pipe = join(folder, 'pipe')
    execFileSync('bash', ['-c', `mkfifo '${pipe}'`])
    for (const [path, isStill] of [
      [pipe, () => statSync(pipe).isFIFO()],
      [folder, () => statSync(folder).isDirectory()],
    ] as const) {
      for (const format of WRITTEN_FORMATS) {
        await expect(writeRecording(awkwardRecording(), format, path, { overwrite: true })).rejects.toMatchObject({
          code: 'INVALID_OPTION',
          message: `${path} is there already, and is no file: it is not replaced`,
        })
        expect([path, isStill()]).toEqual([path, true])
      }
    }
  },
)
