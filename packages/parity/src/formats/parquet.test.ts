import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { awkwardRecording, flatten, temporaryFolder } from '../../test/helpers/recordings.ts'
import { openRecording } from './open-recording.ts'
import { writeRecording } from './write/write-recording.ts'

it('does not look for values for ever where a page of zeros has none', async () => {
  const folder = temporaryFolder()
  const path = join(folder, 'sound.parquet')
  await writeRecording(awkwardRecording(), 'parquet', path)
  const sound = readFileSync(path)
  const content = await contentOrFault(path)
  const footer = sound.length - 8 - sound.readUInt32LE(sound.length - 8)
  const damaged = join(folder, 'damaged.parquet')
  let found = 0
  for (let at = 4; at + 16 < footer; at += 16) {
    for (const end of [at + 16, Math.min(footer, at + 400), footer]) {
      writeFileSync(damaged, Buffer.from(sound).fill(0, at, end))
      const now = await contentOrFault(damaged)
      if (now === 'INVALID_RECORDING' || now === 'fault') found++
      // Columns that follow from others are not looked at, nor are statistics.
      else expect(now, `zeros from ${at} to ${end}`).toBe(content)
    }
  }
  expect(found).toBeGreaterThan(100)
})

async function contentOrFault(path: string): Promise<string> {
  try {
    const recording = await openRecording(path)
    const content = recording.faults.length > 0 ? 'fault' : JSON.stringify(flatten(recording))
    recording.close()
    return content
  } catch (error) {
    return (error as { code: string }).code
  }
}
