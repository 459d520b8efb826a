import type { ChatMessage } from '@plumbline/protocol'
import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { loadTokenizer, readGguf } from '@plumbline/reference'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildTokenizer } from '../src/tokenization/tokenizer.ts'
import { tokenizerMetadataOf } from './gguf-tokenizer-metadata.ts'

// The harness checks a worker's token counts and texts against the reference's tokenizer: the two share no code, and agree.

const word = fc.oneof(
  fc.constantFrom(
    'the',
    ' quick',
    'Hello',
    "'s",
    "'LL",
    '12',
    '3456',
    '\n\n',
    '\r\n',
    '\t',
    '  ',
    '   ',
    '.',
    '...',
    '$+=',
    '`',
  ),
  fc.constantFrom(
    '<s>',
    '</s>',
    '<|im_end|>',
    '<|im_start|>',
    '<|endoftext|>',
    '<|end|>',
    '<|',
    '|>',
    '<',
    '>',
    '[PAD151646]',
  ),
  fc.constantFrom(
    'é',
    'ß',
    'нещо',
    'អាច',
    '工作',
    '１２',
    '²',
    '🦙',
    '👨‍👩‍👧',
    '\u00a0',
    '\u3000',
    '\u0085',
    '\ufeff',
    '\u2581',
    'e\u0301',
  ),
  fc.string({ unit: 'binary', maxLength: 4 }),
)
const text = fc.array(word, { minLength: 1, maxLength: 12 }).map((words) => words.join(''))
const messages = fc.array(fc.record({ role: fc.constantFrom('user', 'assistant', 'system'), content: text }), {
  minLength: 1,
  maxLength: 4,
}) as fc.Arbitrary<ChatMessage[]>

function compare(path: string): void {
  const metadata = tokenizerMetadataOf(path)
  const tokenizer = buildTokenizer(metadata)
  const reference = loadTokenizer(readGguf(path))

  it('encodes prompts alike', () => {
    fc.assert(
      fc.property(text, (text) => {
        expect([...tokenizer.encodePrompt(text)]).toEqual(reference.encode(text))
      }),
      { numRuns: 500 },
    )
  })

  it('decodes every token alike', () => {
    for (let id = 0; id < tokenizer.vocabSize; id++) {
      if (Buffer.compare(tokenizer.decodeBytes(id), reference.decode([id])) !== 0) expect.fail(`token ${id} differs`)
    }
  })

  it('ends answers at the same tokens', () => {
    expect(new Set(tokenizer.endOfGenerationIds)).toEqual(reference.eosIds)
  })

  if (metadata.chatTemplate === undefined) return

  it('encodes chats alike', () => {
    fc.assert(
      fc.property(messages, (messages) => {
        expect([...tokenizer.encodeChat(messages)]).toEqual(reference.encodeChat(messages))
      }),
      { numRuns: 200 },
    )
  })
}

describe('stories260K', () => compare(committedAsset('stories260K/stories260K-f32.gguf')))

describeWithAssets(describe, 'the vocabularies of llama.cpp and the models', () => {
  for (const name of ['gpt-2', 'llama-bpe', 'llama-spm', 'phi-3', 'qwen2']) {
    describe(name, () => compare(asset(`tokenizer-vectors/ggml-vocab-${name}.gguf`)))
  }
  for (const name of ['smollm2-135m-instruct-q4_1', 'random-qwen2-q4_k_m']) {
    describe(name, () => compare(asset(`models/${name}.gguf`)))
  }
})
