import type { ChatMessage } from '@plumbline/protocol'
import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { loadTokenizer, type Tokenizer as ReferenceTokenizer, readGguf } from '@plumbline/reference'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildTokenizer, type Tokenizer } from '../src/tokenization/tokenizer.ts'
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

function compare(path: () => string, { chats }: { chats: boolean }): void {
  let tokenizer: Tokenizer
  let reference: ReferenceTokenizer
  beforeAll(() => {
    const gguf = readGguf(path())
    tokenizer = buildTokenizer(tokenizerMetadataOf(gguf))
    reference = loadTokenizer(gguf)
  })

  it('encodes prompts alike', () => {
    fc.assert(
      fc.property(text, (text) => {
        expect([...tokenizer.encodePrompt(text)]).toEqual(reference.encode(text))
      }),
      { numRuns: 300 },
    )
  })

  it('decodes every token alike', () => {
    expect(tokenizer.vocabSize).toBe(reference.vocabSize)
    for (let id = 0; id < tokenizer.vocabSize; id++) {
      if (Buffer.compare(tokenizer.decodeBytes(id), reference.decode([id])) !== 0) expect.fail(`token ${id} differs`)
    }
  })

  it('ends answers at the same tokens', () => {
    expect(new Set(tokenizer.endOfGenerationIds)).toEqual(reference.eosIds)
  })

  it(chats ? 'encodes chats alike' : 'has no chat template, by either', () => {
    const encodings = (messages: ChatMessage[]) =>
      [tokenizer, reference].map((either) => [...either.encodeChat(messages)])
    if (chats) {
      fc.assert(
        fc.property(messages, (messages) => {
          const [ours, theirs] = encodings(messages)
          expect(ours).toEqual(theirs)
        }),
        { numRuns: 100 },
      )
    } else {
      expect(reference.hasChatTemplate).toBe(false)
      expect(() => encodings([{ role: 'user', content: 'Hello' }])).toThrow(/no chat template/)
    }
  })
}

describe('stories260K', () => compare(() => committedAsset('stories260K/stories260K-f32.gguf'), { chats: false }))

describeWithAssets(describe, 'the vocabularies of llama.cpp and the models', () => {
  describe.each([
    ['tokenizer-vectors/ggml-vocab-gpt-2.gguf', false],
    ['tokenizer-vectors/ggml-vocab-llama-bpe.gguf', false],
    ['tokenizer-vectors/ggml-vocab-llama-spm.gguf', false],
    ['tokenizer-vectors/ggml-vocab-phi-3.gguf', true],
    ['tokenizer-vectors/ggml-vocab-qwen2.gguf', true],
    ['models/smollm2-135m-instruct-q4_1.gguf', true],
    ['models/random-qwen2-q4_k_m.gguf', true],
  ])('%s', (path, chats) => compare(() => asset(path), { chats }))
})
