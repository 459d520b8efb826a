import { type TokenText, tokenText } from '../streaming/utf8-assembler.ts'
import type { ChatTemplateTokens } from './chat-template.ts'
import type { Tokenizer } from './tokenizer.ts'

/** What the front needs to know of a tokenizer, in a form that goes from one thread to another at once, however large it is. */
export interface VocabularyData {
  /** `bpe/qwen2`, `sentencepiece` */
  readonly kind: string
  /** Sampling one of these ends an answer. */
  readonly endOfGenerationIds: readonly number[]
  readonly chatTemplate: { readonly source: string; readonly tokens: ChatTemplateTokens } | undefined
  /** What each token adds to an answer, one after the other. */
  readonly bytes: Uint8Array
  /** Where in `bytes` each token ends, by id. */
  readonly ends: Uint32Array
}

export function describeVocabulary(tokenizer: Tokenizer): VocabularyData {
  const { kind, vocabSize, endOfGenerationIds, chatTemplate } = tokenizer
  const ends = new Uint32Array(vocabSize)
  let bytes = new Uint8Array(vocabSize * 8)
  for (let id = 0, end = 0; id < vocabSize; id++) {
    const token = tokenizer.decodeBytes(id)
    if (end + token.length > bytes.length) {
      const larger = new Uint8Array(2 * (end + token.length))
      larger.set(bytes)
      bytes = larger
    }
    bytes.set(token, end)
    end += token.length
    ends[id] = end
  }
  return { kind, endOfGenerationIds, chatTemplate, bytes, ends }
}

/** From token ids to text; the way back is prompt-encoder.ts. */
export class Vocabulary {
  readonly kind: string
  readonly endOfGenerationIds: readonly number[]
  readonly chatTemplate: VocabularyData['chatTemplate']
  readonly #bytes: Uint8Array
  readonly #ends: Uint32Array
  readonly #texts = new Map<number, TokenText>()

  constructor({ kind, endOfGenerationIds, chatTemplate, bytes, ends }: VocabularyData) {
    this.kind = kind
    this.endOfGenerationIds = endOfGenerationIds
    this.chatTemplate = chatTemplate
    this.#bytes = bytes
    this.#ends = ends
  }

  get size(): number {
    return this.#ends.length
  }

  /** What a token adds to an answer. Remembered: answers are made of few different tokens. Throws a RangeError for an id outside of it. */
  textOf(id: number): TokenText {
    const known = this.#texts.get(id)
    if (known !== undefined) return known
    const end = this.#ends[id]
    if (end === undefined) throw new RangeError(`token id ${id} is outside the vocabulary of ${this.size}`)
    const text = tokenText(this.#bytes.subarray(id === 0 ? 0 : this.#ends[id - 1], end))
    this.#texts.set(id, text)
    return text
  }
}
