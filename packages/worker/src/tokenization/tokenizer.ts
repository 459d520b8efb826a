import type { ChatMessage } from '@plumbline/protocol'
import { BytePairEncoding } from './byte-pair-encoding.ts'
import { type ChatTemplate, readTemplate } from './chat-template.ts'
import { noTemplate } from './messages-error.ts'
import { SentencePiece } from './sentencepiece.ts'
import {
  ENDS_GENERATION,
  type Fragment,
  type SettledTokenizer,
  SpecialTokenSplitter,
  type SpecialTokens,
  settleTypes,
  specialTokens,
} from './special-tokens.ts'
import { tokenBytes } from './token-bytes.ts'
import type { TokenModel } from './token-model.ts'
import type { TokenizerMetadata } from './tokenizer-metadata.ts'
import { checkTokenizerParts } from './tokenizer-parts.ts'
import type { VocabularyData } from './vocabulary.ts'

export interface Tokenizer {
  /** `bpe/qwen2`, `sentencepiece` */
  readonly kind: string
  readonly vocabSize: number
  /** Sampling one of these ends an answer. */
  readonly endOfGenerationIds: readonly number[]
  readonly chatTemplate: VocabularyData['chatTemplate']
  /** A prompt as it is: control tokens in it are plain text. */
  encodePrompt(text: string): Uint32Array
  /** A chat that its template has rendered and cut at the control tokens. */
  encodeFragments(fragments: readonly Fragment[]): Uint32Array
  /** @throws InvalidRequestError when the model has no chat template, or it refuses the messages */
  encodeChat(messages: readonly ChatMessage[]): Uint32Array
  /** The bytes that a token adds to an answer: none for control tokens, maybe a part of a UTF-8 character. */
  decodeBytes(id: number): Uint8Array
  /** Makes what only encoding needs, which takes longest. */
  prepare(): void
}

/**
 * The tokenizer that a GGUF describes.
 *
 * @throws PlumblineError UNSUPPORTED_TOKENIZER, naming the key and what it must be
 */
export function buildTokenizer(metadata: TokenizerMetadata): Tokenizer {
  return new GgufTokenizer(metadata)
}

class GgufTokenizer implements Tokenizer {
  readonly kind: string
  readonly vocabSize: number
  readonly endOfGenerationIds: readonly number[]
  readonly chatTemplate: VocabularyData['chatTemplate']
  readonly #metadata: SettledTokenizer
  readonly #special: SpecialTokens
  readonly #userDefined: SpecialTokenSplitter
  #model: TokenModel | undefined
  #template: ChatTemplate | undefined
  /** What a sequence begins and a prompt ends with, where the model wants it. */
  readonly #bosId: number | undefined
  readonly #eosId: number | undefined

  constructor(given: TokenizerMetadata) {
    checkTokenizerParts({
      model: given.model,
      pre: given.pre,
      tokens: given.tokens.length,
      tokenTypes: given.tokenTypes?.length,
      merges: given.merges?.length,
      scores: given.scores?.length,
    })
    const metadata = settleTypes(given)
    this.#metadata = metadata
    this.#special = specialTokens(metadata)
    this.#userDefined = new SpecialTokenSplitter(this.#special.userDefined)
    const { model, pre = 'default', bosId, eosId, addEos = false } = metadata
    const isSentencePiece = model !== 'gpt2'
    this.kind = isSentencePiece ? 'sentencepiece' : `bpe/${pre}`
    this.vocabSize = metadata.tokens.length
    this.endOfGenerationIds = endOfGenerationIds(metadata, this.#special)
    this.chatTemplate = chatTemplate(metadata, this.#special)
    this.#bosId = (metadata.addBos ?? (isSentencePiece || pre === 'llama-bpe')) ? bosId : undefined
    this.#eosId = addEos ? eosId : undefined
  }

  prepare(): void {
    this.#model ??=
      this.#metadata.model === 'gpt2' ? new BytePairEncoding(this.#metadata) : new SentencePiece(this.#metadata)
  }

  encodePrompt(text: string): Uint32Array {
    const ids = this.#encode(this.#userDefined.split(text))
    if (this.#bosId !== undefined) ids.unshift(this.#bosId)
    if (this.#eosId !== undefined) ids.push(this.#eosId)
    return Uint32Array.from(ids)
  }

  encodeFragments(fragments: readonly Fragment[]): Uint32Array {
    const ids = this.#encode(
      fragments.flatMap((fragment) => (typeof fragment === 'number' ? fragment : this.#userDefined.split(fragment))),
    )
    if (this.#bosId !== undefined && ids[0] !== this.#bosId) ids.unshift(this.#bosId)
    return Uint32Array.from(ids)
  }

  encodeChat(messages: readonly ChatMessage[]): Uint32Array {
    if (!this.chatTemplate) throw noTemplate()
    this.#template ??= readTemplate(this.chatTemplate.source, this.chatTemplate.tokens)
    return this.encodeFragments(this.#template.fragments(messages))
  }

  decodeBytes(id: number): Uint8Array {
    return tokenBytes(this.#metadata, id)
  }

  #encode(fragments: readonly Fragment[]): number[] {
    this.prepare()
    return fragments.flatMap((fragment, index) =>
      typeof fragment === 'number'
        ? fragment
        : this.#model!.encode(fragment, index === 0 || typeof fragments[index - 1] === 'number'),
    )
  }
}

function chatTemplate(metadata: TokenizerMetadata, { control }: SpecialTokens): VocabularyData['chatTemplate'] {
  const { chatTemplate: source, tokens, bosId, eosId } = metadata
  if (source === undefined) return undefined
  const textOf = (id: number | undefined) => (id === undefined ? '' : tokens[id]!)
  return { source, tokens: { bos: textOf(bosId), eos: textOf(eosId), control } }
}

function endOfGenerationIds(metadata: TokenizerMetadata, { control }: SpecialTokens): readonly number[] {
  const declared = [metadata.eosId, metadata.eotId, metadata.eomId]
  const known = [...control].filter(([text]) => ENDS_GENERATION.has(text)).map(([, id]) => id)
  return [...new Set([...declared.filter((id) => id !== undefined), ...known])]
}
