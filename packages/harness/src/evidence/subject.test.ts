import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { haikuNanoPath, haikuPrompt } from '@plumbline/haiku-nano'
import { committedAsset } from '@plumbline/protocol/testing'
import { expect, test } from 'vitest'
import { plainWording } from '../challenge/wording.ts'
import { promptTokenIds, readSubject } from './subject.ts'

test('haiku-nano is asked in its own words, and in messages', async () => {
  const subject = await readSubject(haikuNanoPath)
  expect(subject.file.sha256).toBe(createHash('sha256').update(readFileSync(haikuNanoPath)).digest('hex'))
  expect(subject).toMatchObject({
    architecture: 'qwen2',
    contextLength: 2048,
    quantKind: 'Q8_0',
    // 6 layers of keys and values, 2 heads of 32, 2,048 places, 4 bytes
    keyValueBytes: 2 * 6 * 2 * 32 * 2048 * 4,
    wording: haikuPrompt,
  })
  expect(subject.tokenizer.hasChatTemplate).toBe(true)
})

test('another model is asked in plain words; what a prompt is in tokens is told for each way of asking', async () => {
  const subject = await readSubject(committedAsset('stories260K/stories260K-f32.gguf'))
  expect(subject).toMatchObject({ architecture: 'llama', contextLength: 128, vocabSize: 512, wording: plainWording })
  expect(promptTokenIds(subject, { job_id: 'job', prompt: 'Once upon a time' })[0]).toBe(subject.tokenizer.bosId)
  expect(promptTokenIds(subject, { job_id: 'job', prompt_token_ids: [1, 2] })).toEqual([1, 2])
  const messages = [{ role: 'user' as const, content: 'hello' }]
  expect(() => promptTokenIds(subject, { job_id: 'job', messages })).toThrow('no chat template')
})
