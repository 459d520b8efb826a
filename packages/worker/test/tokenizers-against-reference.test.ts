import type { ChatMessage } from '@plumbline/protocol'
import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { type GgufFile, loadTokenizer, type Tokenizer as ReferenceTokenizer, readGguf } from '@plumbline/reference'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { buildTokenizer, type Tokenizer } from '../src/tokenization/tokenizer.ts'
import type { TokenizerMetadata } from '../src/tokenization/tokenizer-metadata.ts'
import { ggufOf, tokenizerMetadataOf } from './gguf-tokenizer-metadata.ts'
import { smallSentencePiece, smallVocabulary } from './small-vocabulary.ts'

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
    '<end_of_turn>',
    '<tool>',
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

function compare(file: () => GgufFile, { chats }: { chats: boolean }): void {
  let tokenizer: Tokenizer
  let reference: ReferenceTokenizer
  beforeAll(() => {
    const gguf = file()
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

describe('stories260K', () =>
  compare(() => readGguf(committedAsset('stories260K/stories260K-f32.gguf')), { chats: false }))

// Where a chat gets a BOS, and which tokens nobody can type, are rules with more cases than published files have.
describe('small vocabularies', () => {
  const withBos = '{{ bos_token }}{{ messages[0].content }}'
  const withoutBos = '{{ messages[0].content }}<|im_end|>'
  const { tokenTypes, ...untyped } = smallVocabulary()
  const ending = { tokens: [...untyped.tokens, '<end_of_turn>', '</s>'], eotId: untyped.tokens.length + 1 }
  const ended = (type: number) => ({ ...untyped, ...ending, tokenTypes: Int32Array.of(...tokenTypes!, type, type) })
  const cases: [string, TokenizerMetadata][] = [
    ['BPE, which adds no BOS by default', smallVocabulary({ chatTemplate: withoutBos })],
    ['BPE, whose template writes BOS', smallVocabulary({ chatTemplate: withBos })],
    ['BPE that adds BOS', smallVocabulary({ chatTemplate: withoutBos, addBos: true })],
    ['BPE that adds BOS, as its template does', smallVocabulary({ chatTemplate: withBos, addBos: true })],
    ['llama-bpe, which adds BOS by default', smallVocabulary({ chatTemplate: withoutBos, pre: 'llama-bpe' })],
    ['llama-bpe that adds none', smallVocabulary({ chatTemplate: withoutBos, pre: 'llama-bpe', addBos: false })],
    ['llama-bpe, whose template writes BOS', smallVocabulary({ chatTemplate: withBos, pre: 'llama-bpe' })],
    ['SentencePiece, which adds BOS by default', smallSentencePiece({ chatTemplate: withoutBos })],
    ['SentencePiece, whose template writes BOS', smallSentencePiece({ chatTemplate: withBos })],
    ['SentencePiece that adds none', smallSentencePiece({ chatTemplate: withoutBos, addBos: false })],
    ['ends of turns called user-defined', ended(4)],
    ['ends of turns called normal', ended(1)],
    ['ends of turns called unused', ended(5)],
    ['no token types', { ...untyped, ...ending, chatTemplate: `</s>${withoutBos}<tool>` }],
  ]
  describe.each(cases)('%s', (_, metadata) => compare(() => ggufOf(metadata), { chats: true }))
})

describeWithAssets(describe, 'the vocabularies of llama.cpp and the models', () => {
  describe.each([
    ['tokenizer-vectors/ggml-vocab-gpt-2.gguf', false],
    ['tokenizer-vectors/ggml-vocab-llama-bpe.gguf', false],
    ['tokenizer-vectors/ggml-vocab-llama-spm.gguf', false],
    ['tokenizer-vectors/ggml-vocab-phi-3.gguf', true],
    ['tokenizer-vectors/ggml-vocab-qwen2.gguf', true],
    ['models/smollm2-135m-instruct-q4_1.gguf', true],
    ['models/random-qwen2-q4_k_m.gguf', true],
  ])('%s', (path, chats) => compare(() => readGguf(asset(path)), { chats }))
})
