import { type ChatMessage, PlumblineError } from '@plumbline/protocol'
import { Metadata } from '../gguf/metadata.ts'
import type { GgufFile } from '../gguf/read-gguf.ts'
import { bytePairEncoding } from './byte-pair-encoding.ts'
import { chatFragments, messagesError } from './chat.ts'
import { sentencePieceEncoding } from './sentencepiece.ts'
import { type Fragment, splitAtSpecialTokens } from './special-tokens.ts'
import { Vocabulary } from './vocabulary.ts'

/** What one kind of tokenizer does with text that holds no special tokens, and with one token. */
export interface TextEncoding {
  /** `afterSpecial`: whether the text begins the input or follows a special token. */
  encodeText(text: string, afterSpecial: boolean): number[]
  tokenBytes(id: number): number[]
  /** Whether inputs begin with the beginning-of-sequence token when the file does not say. */
  readonly addBosByDefault: boolean
}

export interface EncodeOptions {
  /** Whether to add the tokens that the model expects around an input, usually <s> before it. Default true. */
  readonly addSpecial?: boolean
  /** Whether the names of control tokens in the text are those tokens, rather than text. Default false. */
  readonly parseSpecial?: boolean
}

export interface Tokenizer {
  readonly vocabSize: number
  readonly bosId: number | undefined
  /** Every token that ends an answer. */
  readonly eosIds: ReadonlySet<number>
  readonly hasChatTemplate: boolean
  encode(text: string, options?: EncodeOptions): number[]
  /** The ids of a conversation through the model's chat template, up to where the assistant's answer begins. */
  encodeChat(messages: readonly ChatMessage[]): number[]
  /** The bytes of each token, joined: control tokens have none. Ids need not end on a whole character. */
  decode(ids: readonly number[]): Uint8Array
  /** The same as text; bytes that are no UTF-8 become U+FFFD. */
  decodeText(ids: readonly number[]): string
}

/** The tokenizer that a GGUF file describes. Throws UNSUPPORTED_TOKENIZER where it names a kind that is not known. */
export function loadTokenizer(gguf: GgufFile): Tokenizer {
  const metadata = new Metadata(gguf)
  const vocabulary = new Vocabulary(gguf)
  const encoding = textEncoding(metadata.require(metadata.string, 'tokenizer.ggml.model'), gguf, vocabulary)
  const addBos = metadata.boolean('tokenizer.ggml.add_bos_token') ?? encoding.addBosByDefault
  const addEos = metadata.boolean('tokenizer.ggml.add_eos_token') ?? false
  const chatTemplate = metadata.string('tokenizer.chat_template')
  const { bosId, eosId, eosIds, tokens } = vocabulary
  const userDefinedIds = vocabulary.specialIds(false)
  const allSpecialIds = vocabulary.specialIds(true)

  const encodeFragments = (fragments: readonly Fragment[]): number[] =>
    fragments.flatMap((fragment, index) =>
      typeof fragment === 'number'
        ? [fragment]
        : encoding.encodeText(fragment, index === 0 || typeof fragments[index - 1] === 'number'),
    )
  const split = (text: string) => splitAtSpecialTokens(text, userDefinedIds)

  const decode = (ids: readonly number[]): Uint8Array =>
    Uint8Array.from(
      ids.flatMap((id) => {
        if (tokens[id] === undefined) {
          const message = `token id ${id} is outside the vocabulary of ${tokens.length}`
          throw new PlumblineError('INVALID_REQUEST', message, { tokenId: id })
        }
        return vocabulary.isSilent(id) ? [] : encoding.tokenBytes(id)
      }),
    )

  return {
    vocabSize: tokens.length,
    bosId,
    eosIds,
    hasChatTemplate: chatTemplate !== undefined,
    encode(text, { addSpecial = true, parseSpecial = false } = {}) {
      const ids = encodeFragments(parseSpecial ? splitAtSpecialTokens(text, allSpecialIds) : split(text))
      if (addSpecial && addBos && bosId !== undefined) ids.unshift(bosId)
      if (addSpecial && addEos && eosId !== undefined) ids.push(eosId)
      return ids
    },
    encodeChat(messages) {
      if (chatTemplate === undefined) throw messagesError('the model has no chat template: give it a prompt')
      const names = {
        bos_token: bosId === undefined ? '' : tokens[bosId]!,
        eos_token: eosId === undefined ? '' : tokens[eosId]!,
      }
      const fragments = chatFragments(chatTemplate, messages, names, allSpecialIds)
      const ids = encodeFragments(fragments.flatMap((part) => (typeof part === 'number' ? [part] : split(part))))
      // Most templates write it themselves.
      if (addBos && bosId !== undefined && ids[0] !== bosId) ids.unshift(bosId)
      return ids
    },
    decode,
    decodeText: (ids) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(decode(ids)),
  }
}

function textEncoding(model: string, gguf: GgufFile, vocabulary: Vocabulary): TextEncoding {
  if (model === 'gpt2') return bytePairEncoding(gguf, vocabulary)
  if (model === 'llama') return sentencePieceEncoding(gguf, vocabulary)
  const message = `tokenizer '${model}' is not supported; supported: gpt2 (byte-level BPE), llama (SentencePiece)`
  throw new PlumblineError('UNSUPPORTED_TOKENIZER', message, { model })
}
