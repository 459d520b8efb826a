import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/helpers/recordings.ts'
import { openRecording } from './open-recording.ts'

const STORIES = join(import.meta.dirname, '../../../protocol/test-vectors/stories260K')

it('says what is missing', async () => {
  await expect(openRecording(join(STORIES, 'nothing'))).rejects.toMatchObject({ code: 'UNREADABLE_RECORDING' })
  await expect(openRecording(import.meta.filename)).rejects.toMatchObject({ code: 'UNREADABLE_RECORDING' })
})

it('says where what is of no format shows it', async () => {
  const path = join(temporaryFolder(), 'odd')
  writeFileSync(path, Buffer.from('0102030405060708', 'hex'))
  await expect(openRecording(path)).rejects.toMatchObject({
    message: expect.stringContaining(`${path}, byte 0: its first bytes, 0102030405060708, are of no format`),
  })
  writeFileSync(path, '{"é": 1,\n x}\n')
  await expect(openRecording(path)).rejects.toMatchObject({
    message: expect.stringContaining(`${path}, line 2, byte 11: is neither JSON nor JSONL`),
    fields: { file: path, line: 2, byteOffset: 11 },
  })
  writeFileSync(path, '{"a": [1,\n')
  await expect(openRecording(path)).rejects.toMatchObject({ fields: { line: 2, byteOffset: 10 } })
})
