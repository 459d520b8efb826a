import { PlumblineError } from '@plumbline/protocol/errors'

/**
 * What a GGUF says about its tokenizer (`tokenizer.ggml.*`), as the engine process sends it to the front once, at load. The core has
 * refused what cannot be: ids outside the vocabulary, merges that are no pairs, two normal tokens of one text.
 * Declared here because the front process must not import the native core.
 */
export interface TokenizerMetadata {
  /** `tokenizer.ggml.model`: `gpt2` (byte-level BPE) or `llama` (SentencePiece). */
  readonly model: string
  /** `tokenizer.ggml.pre`: how text is cut before BPE merges. */
  readonly pre?: string
  /** Token texts by id, as they are in the file: byte-level characters for BPE, `▁` for spaces in SentencePiece. */
  readonly tokens: readonly string[]
  /** SentencePiece: log-probability-like priority of each token, by id. */
  readonly scores?: Float32Array
  /** See TokenType, by id; absent: all normal. */
  readonly tokenTypes?: Int32Array
  /** BPE: `left right`, best first. */
  readonly merges?: readonly string[]
  readonly bosId?: number
  readonly eosId?: number
  /** End of turn. */
  readonly eotId?: number
  /** End of message. */
  readonly eomId?: number
  readonly unknownId?: number
  readonly paddingId?: number
  readonly addBos?: boolean
  readonly addEos?: boolean
  readonly addSpacePrefix?: boolean
  /** Jinja source. */
  readonly chatTemplate?: string
}

/** `tokenizer.ggml.token_type` (the GGUF specification, after SentencePiece's ModelProto.SentencePiece.Type). */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/**
 * Reads it from JSON, which has no typed arrays.
 *
 * @throws PlumblineError INTERNAL for what no engine process sends
 */
export function parseTokenizerMetadata(json: string): TokenizerMetadata {
  const { scores, tokenTypes, ...rest } = JSON.parse(json) as PlainTokenizerMetadata
  const areStrings = (values: unknown) => Array.isArray(values) && values.every((value) => typeof value === 'string')
  const areNumbers = (values: unknown) => Array.isArray(values) && values.every((value) => typeof value === 'number')
  const isRead =
    typeof rest.model === 'string' &&
    areStrings(rest.tokens) &&
    (rest.merges === undefined || areStrings(rest.merges)) &&
    (scores === undefined || areNumbers(scores)) &&
    (tokenTypes === undefined || areNumbers(tokenTypes)) &&
    (rest.chatTemplate === undefined || typeof rest.chatTemplate === 'string')
  if (!isRead) throw new PlumblineError('INTERNAL', 'the engine process sent what is no tokenizer')
  return {
    ...rest,
    ...(scores && { scores: Float32Array.from(scores) }),
    ...(tokenTypes && { tokenTypes: Int32Array.from(tokenTypes) }),
  }
}

/** As it is sent. */
export type PlainTokenizerMetadata = Omit<TokenizerMetadata, 'scores' | 'tokenTypes'> & {
  readonly scores?: readonly number[]
  readonly tokenTypes?: readonly number[]
}
