import { expect, test } from 'vitest'
import { fakeTokenizer } from '../../test/fixtures/fake-script.ts'
import { buildTokenizer } from '../tokenization/tokenizer.ts'
import { describeVocabulary } from '../tokenization/vocabulary.ts'
import { PipeGarbageError } from './pipe-frame.ts'
import { decodeVocabulary, encodeVocabulary } from './vocabulary-bytes.ts'

const { tokenTypes, ...rest } = fakeTokenizer()
const withTemplate = describeVocabulary(buildTokenizer({ ...rest, tokenTypes: Int32Array.from(tokenTypes) }))
const { chatTemplate: _none, ...bare } = rest
const without = describeVocabulary(buildTokenizer(bare))

test.each([
  ['with a chat template', withTemplate],
  ['without one', without],
])('a vocabulary %s survives the pipe', (_, vocabulary) => {
  const bytes = vocabulary.bytes.subarray(0, vocabulary.ends.at(-1))
  // Wherever in a chunk of the pipe the payload begins.
  const chunk = Buffer.concat([Buffer.alloc(3), encodeVocabulary(vocabulary)])
  expect(decodeVocabulary(chunk.subarray(3))).toEqual({ ...vocabulary, bytes })
})

test('what is no vocabulary is garbage', () => {
  const whole = encodeVocabulary(withTemplate)
  const falling = Buffer.from(whole)
  const headEnd = 4 + whole.readUInt32LE(0)
  falling.writeUInt32LE(2 ** 31, headEnd)
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.alloc(4),
    whole.subarray(0, headEnd),
    whole.subarray(0, -1),
    Buffer.concat([whole, Buffer.alloc(1)]),
    falling,
  ]) {
    expect(() => decodeVocabulary(bytes)).toThrow(PipeGarbageError)
  }
})
