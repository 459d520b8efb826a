import { BYTE_LEVEL_CHARACTERS } from '../src/tokenization/byte-level.ts'
import { TOKEN_TYPE, type TokenizerMetadata } from '../src/tokenization/tokenizer-metadata.ts'

export const CHATML =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

const MERGES = ['Ċ Ċ', 'h e', 'l l', 'he ll', 'hell o']
const CONTROL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']
const USER_DEFINED = ['<tool>', '<|looks_like_control|>']

/** Byte-level BPE of all 256 bytes, a few merges, control and user-defined tokens. */
export function smallVocabulary(more: Partial<TokenizerMetadata> = {}): TokenizerMetadata {
  const merged = MERGES.map((merge) => merge.replace(' ', ''))
  const tokens = [...BYTE_LEVEL_CHARACTERS, ...merged, ...CONTROL, ...USER_DEFINED, '[PAD]']
  const types = [
    ...Array.from({ length: BYTE_LEVEL_CHARACTERS.length + merged.length }, () => TOKEN_TYPE.normal),
    ...CONTROL.map(() => TOKEN_TYPE.control),
    ...USER_DEFINED.map(() => TOKEN_TYPE.userDefined),
    TOKEN_TYPE.unused,
  ]
  return {
    model: 'gpt2',
    pre: 'qwen2',
    tokens,
    tokenTypes: Int32Array.from(types),
    merges: MERGES,
    bosId: tokens.indexOf('<|endoftext|>'),
    eosId: tokens.indexOf('<|endoftext|>'),
    chatTemplate: CHATML,
    ...more,
  }
}

/** SentencePiece: single letters, two ways to `▁abc`, byte fallback. */
export function smallSentencePiece(more: Partial<TokenizerMetadata> = {}): TokenizerMetadata {
  const special = ['<unk>', '<s>', '</s>']
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
  const scored: [string, number][] = [
    ['▁abc', -1],
    ['bc', -2],
    ['▁a', -3],
    ...['▁', 'a', 'b', 'c', '<', '>', 's', '/'].map((text): [string, number] => [text, -100]),
    // With these a tokenizer that does not look at types would merge `<s>`.
    ['<s', -4],
  ]
  return {
    model: 'llama',
    tokens: [...special, ...bytes, ...scored.map(([text]) => text)],
    scores: Float32Array.from([...special, ...bytes].map(() => 0).concat(scored.map(([, score]) => score))),
    tokenTypes: Int32Array.from([
      TOKEN_TYPE.unknown,
      ...[TOKEN_TYPE.control, TOKEN_TYPE.control],
      ...bytes.map(() => TOKEN_TYPE.byte),
      ...scored.map(() => TOKEN_TYPE.normal),
    ]),
    bosId: 1,
    eosId: 2,
    unknownId: 0,
    ...more,
  }
}
