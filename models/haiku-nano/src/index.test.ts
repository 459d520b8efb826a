import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { expect, test } from 'vitest'
import { haikuNanoPath, haikuPrompt, minuteWords, topics } from './index.ts'
import { packagePath } from './lists.ts'

test('60 minute words, from zero to fifty-nine', () => {
  expect(new Set(minuteWords).size).toBe(60)
  expect([0, 7, 17, 20, 54, 59].map((minute) => minuteWords[minute])).toEqual([
    'zero',
    'seven',
    'seventeen',
    'twenty',
    'fifty-four',
    'fifty-nine',
  ])
})

test('topics are single words, all different', () => {
  expect(new Set(topics).size).toBe(topics.length)
  expect(topics.filter((topic) => !/^[a-z]+$/.test(topic))).toEqual([])
})

test('the prompt names the topic and both words', () => {
  expect(haikuPrompt({ topic: 'rain', minuteWord: 'fifty-four', word: 'lantern' })).toBe(
    'Haiku about rain with fifty-four and lantern',
  )
})

test.each([
  ['the default model', haikuNanoPath],
  ['its BF16 sibling', packagePath('haiku-nano-bf16.gguf')],
])('%s is a GGUF of version 3 with 74 tensors', (_, path) => {
  expect(isAbsolute(path)).toBe(true)
  const header = readFileSync(path).subarray(0, 24)
  expect(header.toString('latin1', 0, 4)).toBe('GGUF')
  expect(header.readUInt32LE(4)).toBe(3)
  expect(header.readBigUInt64LE(8)).toBe(2n + 6n * 12n)
})

test('the recorded reference is of this very file', () => {
  const record = JSON.parse(readFileSync(packagePath('reference/prompt-0.json'), 'utf8')) as { model_sha256: string }
  expect(record.model_sha256).toBe(createHash('sha256').update(readFileSync(haikuNanoPath)).digest('hex'))
})
