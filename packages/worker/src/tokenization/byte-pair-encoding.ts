import { BYTE_LEVEL_CHARACTERS } from './byte-level.ts'
import { mergeSymbols } from './merge-symbols.ts'
import { PairTable } from './pair-table.ts'
import { createPreTokenizer } from './pre-tokenizer.ts'
import { type SettledTokenizer, textTokenIds } from './special-tokens.ts'
import type { TokenModel } from './token-model.ts'

/**
 * Byte-level BPE (`tokenizer.ggml.model` = `gpt2`). The library cuts the words; the merges are ours, since its own keep 45 MB
 * for Qwen2's vocabulary and take up to 200 ms for the longest prompts (docs/decisions/0005-tokenizers.md).
 */
export class BytePairEncoding implements TokenModel {
  readonly #words: (text: string) => string[]
  readonly #byteIds: ReadonlyMap<string, number>
  readonly #pairs: PairTable
  /** Llama 3: a word that is a token is that token, whatever the merges would make of it. */
  readonly #wholeWords: ReadonlyMap<string, number> | undefined

  constructor(metadata: SettledTokenizer) {
    const pre = metadata.pre ?? 'default'
    this.#words = createPreTokenizer(pre)
    const ids = textTokenIds(metadata)
    this.#wholeWords = pre === 'llama-bpe' ? ids : undefined
    // A byte that is no token has no place in this vocabulary: it is left out, as llama.cpp and Transformers leave it out.
    this.#byteIds = new Map(
      BYTE_LEVEL_CHARACTERS.flatMap((character) => {
        const id = ids.get(character)
        return id === undefined ? [] : [[character, id]]
      }),
    )
    this.#pairs = readMerges(metadata.merges!, ids)
  }

  encode(text: string): number[] {
    const ids: number[] = []
    for (const word of this.#words(text)) {
      const whole = this.#wholeWords?.get(word)
      if (whole !== undefined) {
        ids.push(whole)
        continue
      }
      const symbols: number[] = []
      for (const character of word) {
        const id = this.#byteIds.get(character)
        if (id !== undefined) symbols.push(id)
      }
      for (const id of mergeSymbols(symbols, this.#pairs)) ids.push(id)
    }
    return ids
  }
}

function readMerges(merges: readonly string[], ids: ReadonlyMap<string, number>): PairTable {
  const pairs = new PairTable(merges.length)
  for (let rank = 0; rank < merges.length; rank++) {
    const merge = merges[rank]!
    // The space that divides may not be the first character.
    const space = merge.indexOf(' ', 1)
    const [leftText, rightText] = [merge.slice(0, space), merge.slice(space + 1)]
    const left = ids.get(leftText)
    const right = ids.get(rightText)
    const merged = ids.get(leftText + rightText)
    if (left !== undefined && right !== undefined && merged !== undefined) pairs.add(left, right, rank, merged)
  }
  return pairs
}
