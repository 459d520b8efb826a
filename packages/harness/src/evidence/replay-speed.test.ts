import { committedAsset } from '@plumbline/protocol/testing'
import { expect, test } from 'vitest'
import { end, started, streamOf, token } from '../../test/helpers/recorded.ts'
import { replaySpeed } from './replay-speed.ts'
import { readSubject } from './subject.ts'

const stream = (...ids: number[]) =>
  streamOf([started(), ...ids.map((id, i) => token(i, id, '')), end(ids.length)], {
    request: { job_id: 'job', prompt: 'Once upon a time' },
  })

test('is a speed, also where an id is none of the model', async () => {
  const subject = await readSubject(committedAsset('stories260K/stories260K-f32.gguf'))
  // 260,000 parameters: no machine takes a second for a token.
  expect(replaySpeed(subject, stream(300, 301), 'float')).toBeGreaterThan(1)
  expect(replaySpeed(subject, stream(300, 99_999), 'float')).toBeGreaterThan(1)
})

test('is nothing where the reference cannot evaluate: the replay says why', async () => {
  const subject = await readSubject(committedAsset('stories260K/stories260K-f32.gguf'))
  const broken = {
    ...subject,
    model: () => {
      throw new Error('boom')
    },
  }
  expect(replaySpeed(broken, stream(300), 'float')).toBe(0)
})
