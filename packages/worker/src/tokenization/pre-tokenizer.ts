import { SequencePreTokenizer } from '@huggingface/tokenizers'
import { PlumblineError } from '@plumbline/protocol/errors'

// The patterns are those of llama.cpp's llama-vocab.cpp (llm_tokenizer_bpe), which gives each `tokenizer.ggml.pre` its
// meaning. Each one cuts the pieces that the one before it left; what none matches is a piece of its own.

const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`

/** Llama 3's and Qwen2's patterns differ in how many digits go together. */
const contractionsLettersAnd = (digits: string) =>
  String.raw`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|` +
  String.raw`${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  default: [String.raw`[\p{P}\$\+<=>\^~\|]+`, GPT2, String.raw`\p{N}+`, '[0-9][0-9][0-9]'],
  'gpt-2': [GPT2],
  'llama-bpe': [contractionsLettersAnd(String.raw`\p{N}{1,3}`)],
  qwen2: [contractionsLettersAnd(String.raw`\p{N}`)],
  smollm: [String.raw`\p{N}`, GPT2],
}

/**
 * Cuts text into the words that byte-pair merges stay within, each in byte-level characters.
 *
 * @param pre `tokenizer.ggml.pre`
 * @throws PlumblineError UNSUPPORTED_TOKENIZER when it is none of ours
 */
export function createPreTokenizer(pre: string): (text: string) => string[] {
  const patterns = Object.hasOwn(PATTERNS, pre) ? PATTERNS[pre] : undefined
  if (patterns === undefined) {
    throw new PlumblineError(
      'UNSUPPORTED_TOKENIZER',
      `tokenizer.ggml.pre is "${pre}", must be one of ${Object.keys(PATTERNS).join(', ')}`,
      { field: 'tokenizer.ggml.pre', value: pre },
    )
  }
  const sequence = new SequencePreTokenizer({
    type: 'Sequence',
    pretokenizers: [
      ...patterns.map((pattern) => ({
        type: 'Split' as const,
        pattern: { Regex: pattern },
        behavior: 'Isolated' as const,
      })),
      { type: 'ByteLevel', use_regex: false },
    ],
  })
  return (text) => sequence.pre_tokenize(text)
}
