import { type GgufFile, type GgufValue, readGguf } from '@plumbline/reference'
import type { TokenizerMetadata } from '../src/tokenization/tokenizer-metadata.ts'

const KEYS: Record<keyof TokenizerMetadata, [key: string, convert?: (value: GgufValue) => unknown]> = {
  model: ['tokenizer.ggml.model'],
  pre: ['tokenizer.ggml.pre'],
  tokens: ['tokenizer.ggml.tokens'],
  scores: ['tokenizer.ggml.scores', (value) => Float32Array.from(value as number[])],
  tokenTypes: ['tokenizer.ggml.token_type', (value) => Int32Array.from(value as number[])],
  merges: ['tokenizer.ggml.merges'],
  bosId: ['tokenizer.ggml.bos_token_id'],
  eosId: ['tokenizer.ggml.eos_token_id'],
  eotId: ['tokenizer.ggml.eot_token_id'],
  eomId: ['tokenizer.ggml.eom_token_id'],
  unknownId: ['tokenizer.ggml.unknown_token_id'],
  paddingId: ['tokenizer.ggml.padding_token_id'],
  addBos: ['tokenizer.ggml.add_bos_token'],
  addEos: ['tokenizer.ggml.add_eos_token'],
  addSpacePrefix: ['tokenizer.ggml.add_space_prefix'],
  chatTemplate: ['tokenizer.chat_template'],
}

/** What the engine would send about the tokenizer of this file, as the reference's GGUF reader reads it. */
export function tokenizerMetadataOf({ metadata }: GgufFile): TokenizerMetadata {
  const known = Object.entries(KEYS).flatMap(([name, [key, convert]]) => {
    const value = metadata.get(key)
    return value === undefined ? [] : [[name, convert === undefined ? value : convert(value)]]
  })
  return Object.fromEntries(known) as TokenizerMetadata
}

export function readTokenizerMetadata(path: string): TokenizerMetadata {
  return tokenizerMetadataOf(readGguf(path))
}

/** The way back: a file of this tokenizer and nothing else. */
export function ggufOf(tokenizer: TokenizerMetadata): GgufFile {
  const values = Object.entries(tokenizer).map(([name, value]): [string, GgufValue] => [
    KEYS[name as keyof TokenizerMetadata][0],
    ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value,
  ])
  return { version: 3, metadata: new Map(values), tensors: new Map(), tensorBytes: () => new Uint8Array() }
}
