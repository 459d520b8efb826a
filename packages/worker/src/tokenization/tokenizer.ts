import { type ChatMessage, PlumblineError } from '@plumbline/protocol'
import { type TokenText, tokenText } from '../streaming/utf8-assembler.ts'
import { BytePairEncoding } from './byte-pair-encoding.ts'
import { ChatTemplate, messagesError } from './chat-template.ts'
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
import type { TokenModel } from './token-model.ts'
import { TOKEN_TYPE, type TokenizerMetadata } from './tokenizer-metadata.ts'
import { checkTokenizerParts } from './tokenizer-parts.ts'

export interface Tokenizer {
  /** `bpe/qwen2`, `sentencepiece` */
  readonly kind: string
  readonly vocabSize: number
  /** Sampling one of these ends an answer. */
  readonly endOfGenerationIds: readonly number[]
  /** A prompt as it is: control tokens in it are plain text. */
  encodePrompt(text: string): Uint32Array
  /** @throws InvalidRequestError when the model has no chat template, or it refuses the messages */
  encodeChat(messages: readonly ChatMessage[]): Uint32Array
  /** The bytes that a token adds to an answer: none for control tokens, maybe a part of a UTF-8 character. */
  decodeBytes(id: number): Uint8Array
  /** The same as text, remembered: answers are made of few different tokens. */
  textOf(id: number): TokenText
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
  readonly #tokens: readonly string[]
  readonly #tokenTypes: Int32Array
  readonly #texts = new Map<number, TokenText>()
  readonly #model: TokenModel
  readonly #special: SpecialTokens
  readonly #control: SpecialTokenSplitter
  readonly #userDefined: SpecialTokenSplitter
  readonly #template: ChatTemplate | PlumblineError
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
    this.#tokens = metadata.tokens
    this.#tokenTypes = metadata.tokenTypes
    this.#model = createModel(metadata)
    this.#special = specialTokens(metadata)
    this.#control = new SpecialTokenSplitter(this.#special.control)
    this.#userDefined = new SpecialTokenSplitter(this.#special.userDefined)
    this.kind = this.#model.kind
    this.vocabSize = metadata.tokens.length
    this.endOfGenerationIds = endOfGenerationIds(metadata, this.#special)
    this.#template = createTemplate(metadata, this.#special)
    const { bosId, eosId, addBos = this.#model.addsBosByDefault, addEos = false } = metadata
    this.#bosId = addBos ? bosId : undefined
    this.#eosId = addEos ? eosId : undefined
  }

  encodePrompt(text: string): Uint32Array {
    const ids = this.#encode(this.#userDefined.split(text))
    if (this.#bosId !== undefined) ids.unshift(this.#bosId)
    if (this.#eosId !== undefined) ids.push(this.#eosId)
    return Uint32Array.from(ids)
  }

  encodeChat(messages: readonly ChatMessage[]): Uint32Array {
    if (this.#template instanceof PlumblineError) throw this.#template
    const { text, unmark } = this.#template.render(messages)
    const fragments = this.#control
      .split(text)
      .flatMap((fragment) => (typeof fragment === 'number' ? fragment : this.#userDefined.split(unmark(fragment))))
    const ids = this.#encode(fragments)
    if (this.#bosId !== undefined && ids[0] !== this.#bosId) ids.unshift(this.#bosId)
    return Uint32Array.from(ids)
  }

  decodeBytes(id: number): Uint8Array {
    const token = this.#tokens[id]
    if (token === undefined) throw new RangeError(`token id ${id} is outside the vocabulary of ${this.vocabSize}`)
    const type = this.#tokenTypes[id]!
    if (type === TOKEN_TYPE.normal || type === TOKEN_TYPE.byte) return this.#model.bytesOf(id)
    return type === TOKEN_TYPE.userDefined ? utf8.encode(token) : NO_BYTES
  }

  textOf(id: number): TokenText {
    const known = this.#texts.get(id)
    if (known !== undefined) return known
    const text = tokenText(this.decodeBytes(id))
    this.#texts.set(id, text)
    return text
  }

  #encode(fragments: readonly Fragment[]): number[] {
    return fragments.flatMap((fragment, index) =>
      typeof fragment === 'number'
        ? fragment
        : this.#model.encode(fragment, index === 0 || typeof fragments[index - 1] === 'number'),
    )
  }
}

const utf8 = new TextEncoder()
const NO_BYTES = new Uint8Array()

function createModel(metadata: SettledTokenizer): TokenModel {
  return metadata.model === 'gpt2' ? new BytePairEncoding(metadata) : new SentencePiece(metadata)
}

/** The template, or the error that requests with messages meet: a model without one still takes prompts. */
function createTemplate(metadata: TokenizerMetadata, { control }: SpecialTokens): ChatTemplate | PlumblineError {
  const { chatTemplate, tokens, bosId, eosId } = metadata
  if (chatTemplate === undefined) {
    return messagesError('chat_template', 'this model has no chat template: give prompt or prompt_token_ids instead')
  }
  const textOf = (id: number | undefined) => (id === undefined ? '' : tokens[id]!)
  try {
    return new ChatTemplate(chatTemplate, { bos: textOf(bosId), eos: textOf(eosId), control: [...control.keys()] })
  } catch (error) {
    const why = (error as Error).message
    return messagesError('chat_template', `this model's chat template cannot be read (${why}): give prompt instead`)
  }
}

function endOfGenerationIds(metadata: TokenizerMetadata, { control }: SpecialTokens): readonly number[] {
  const declared = [metadata.eosId, metadata.eotId, metadata.eomId]
  const known = [...control].filter(([text]) => ENDS_GENERATION.has(text)).map(([, id]) => id)
  return [...new Set([...declared.filter((id) => id !== undefined), ...known])]
}
