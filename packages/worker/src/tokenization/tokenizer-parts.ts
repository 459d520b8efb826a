import { PlumblineError } from '@plumbline/protocol/errors'
import { createPreTokenizer } from './pre-tokenizer.ts'

/** What a GGUF has of a tokenizer, with the length of each array; undefined: it has none. */
export interface TokenizerParts {
  readonly model: string | undefined
  readonly pre: string | undefined
  readonly tokens: number | undefined
  readonly tokenTypes: number | undefined
  readonly merges: number | undefined
  readonly scores: number | undefined
}

/**
 * Whether a tokenizer can be built of these parts: all that there is to know before the vocabulary is read.
 *
 * @throws PlumblineError UNSUPPORTED_TOKENIZER, naming the key and what it must be
 */
export function checkTokenizerParts(parts: TokenizerParts): void {
  const { model, pre = 'default', tokens, tokenTypes, merges, scores } = parts
  if (model === undefined) throw unsupported('model', 'is missing: the file holds no tokenizer')
  if (model !== 'gpt2' && model !== 'llama') {
    throw unsupported('model', `is "${model}", must be gpt2 (byte-level BPE) or llama (SentencePiece)`)
  }
  if (tokens === undefined) throw unsupported('tokens', 'is missing, must be an array of strings')
  if (tokens === 0) throw unsupported('tokens', 'is empty')
  if (tokenTypes !== undefined && tokenTypes !== tokens) {
    throw unsupported('token_type', `holds ${tokenTypes} types for ${tokens} tokens`)
  }
  if (model === 'gpt2') {
    createPreTokenizer(pre)
    if (merges === undefined) throw unsupported('merges', 'is missing, and model gpt2 needs it')
  } else if (scores !== tokens) {
    throw unsupported('scores', `holds ${scores ?? 0} scores for ${tokens} tokens, must hold one for each`)
  }
}

function unsupported(key: string, what: string): PlumblineError {
  const field = `tokenizer.ggml.${key}`
  return new PlumblineError('UNSUPPORTED_TOKENIZER', `${field} ${what}`, { field })
}
