import { PlumblineError } from '@plumbline/protocol'

/**
 * How byte-level BPE cuts a text into words before it merges, by the GGUF's `tokenizer.ggml.pre`: each pattern in turn
 * cuts the pieces that the ones before left; what lies between two matches is a piece too. The patterns are those of
 * the models' tokenizer.json files, in llama.cpp's reading (llama-vocab.cpp, `llm_tokenizer_bpe`): contractions fold
 * ASCII case only, and \s is Unicode's White_Space, which JavaScript's own \s is not (U+0085, U+FEFF).
 */
const S = '\\p{White_Space}'
const NOT_S = '\\P{White_Space}'

const GPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${S}\\p{L}\\p{N}]+|${S}+(?!${NOT_S})|${S}+`

const llama3 = (number: string) =>
  `'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${number}` +
  `| ?[^${S}\\p{L}\\p{N}]+[\\r\\n]*|${S}*[\\r\\n]+|${S}+(?!${NOT_S})|${S}+`

const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  'gpt-2': [GPT2],
  smollm: ['\\p{N}', GPT2],
  qwen2: [llama3('\\p{N}')],
  'llama-bpe': [llama3('\\p{N}{1,3}')],
  default: ['[\\p{P}$+<=>^~|]+', GPT2, '\\p{N}+', '[0-9][0-9][0-9]'],
}

export type PreTokenizer = (text: string) => string[]

/** Throws UNSUPPORTED_TOKENIZER for a name that is not known. */
export function preTokenizer(name: string): PreTokenizer {
  const patterns = Object.hasOwn(PATTERNS, name) ? PATTERNS[name] : undefined
  if (patterns === undefined) {
    const message = `pre-tokenizer '${name}' is not supported; supported: ${Object.keys(PATTERNS).join(', ')}`
    throw new PlumblineError('UNSUPPORTED_TOKENIZER', message, { pre: name })
  }
  const expressions = patterns.map((pattern) => new RegExp(pattern, 'gu'))
  return (text) => expressions.reduce((pieces, expression) => pieces.flatMap((piece) => cut(piece, expression)), [text])
}

function cut(text: string, expression: RegExp): string[] {
  const pieces: string[] = []
  let end = 0
  for (const match of text.matchAll(expression)) {
    pieces.push(text.slice(end, match.index), match[0])
    end = match.index + match[0].length
  }
  return [...pieces, text.slice(end)].filter((piece) => piece !== '')
}
