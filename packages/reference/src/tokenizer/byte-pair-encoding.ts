import { Metadata } from '../gguf/metadata.ts'
import type { GgufFile } from '../gguf/read-gguf.ts'
import { fromByteAlphabet, toByteAlphabet } from './byte-alphabet.ts'
import { mergePairs } from './merge-pairs.ts'
import { preTokenizer } from './pre-tokenizers.ts'
import type { TextEncoding } from './tokenizer.ts'
import { TOKEN_TYPE, type Vocabulary } from './vocabulary.ts'

/** Byte-level BPE: `tokenizer.ggml.model` = gpt2, with merges in order of rank. */
export function bytePairEncoding(gguf: GgufFile, vocabulary: Vocabulary): TextEncoding {
  const metadata = new Metadata(gguf)
  const pre = metadata.string('tokenizer.ggml.pre') ?? 'default'
  const words = preTokenizer(pre)
  const merges = metadata.require(metadata.strings, 'tokenizer.ggml.merges')
  // "left right": the byte alphabet has no space.
  const ranks = new Map(merges.map((merge, rank) => [merge, rank]))
  const { textIds, tokens, types } = vocabulary
  // Llama 3's tokenizer.json: "ignore_merges": a word that is a token is that token, however merges would have it.
  const wholeWordsFirst = pre === 'llama-bpe'

  const rankOf = (left: string, right: string) => {
    const rank = ranks.get(`${left} ${right}`)
    return rank !== undefined && textIds.has(left + right) ? rank : Infinity
  }
  const encodeWord = (word: string): number[] => {
    const whole = wholeWordsFirst ? textIds.get(word) : undefined
    if (whole !== undefined) return [whole]
    // A byte for which there is no token is left out, as Transformers leaves it out.
    const symbols = [...word].filter((character) => textIds.has(character))
    return mergePairs(symbols, rankOf).map((symbol) => textIds.get(symbol)!)
  }

  return {
    addBosByDefault: pre === 'llama-bpe',
    encodeText: (text) => words(text).flatMap((word) => encodeWord(toByteAlphabet(word))),
    // User-defined tokens are text as it is, not in the byte alphabet.
    tokenBytes: (id) =>
      types[id] === TOKEN_TYPE.userDefined ? [...Buffer.from(tokens[id]!)] : fromByteAlphabet(tokens[id]!),
  }
}
