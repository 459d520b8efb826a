import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openRecording } from './open-recording.ts'

const STORIES = join(import.meta.dirname, '../../../protocol/test-vectors/stories260K')

it('says what is missing', async () => {
  await expect(openRecording(join(STORIES, 'nothing'))).rejects.toMatchObject({ code: 'UNREADABLE_RECORDING' })
  await expect(openRecording(import.meta.filename)).rejects.toMatchObject({ code: 'UNREADABLE_RECORDING' })
})
