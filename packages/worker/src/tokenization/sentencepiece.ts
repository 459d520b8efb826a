import { mergeSymbols } from './merge-symbols.ts'
import { PairTable } from './pair-table.ts'
import { type SettledTokenizer, textTokenIds } from './special-tokens.ts'
import type { TokenModel } from './token-model.ts'
import { TOKEN_TYPE } from './tokenizer-metadata.ts'

const SPACE = '▁'
const utf8 = new TextEncoder()

/**
 * SentencePiece's BPE with byte fallback (`tokenizer.ggml.model` = `llama`; Kudo and Richardson, "SentencePiece", EMNLP
 * 2018; google/sentencepiece, src/bpe_model.cc): adjacent symbols merge when together they are a token, the one of the
 * highest score first. The library knows merges as a list alone, in which two ways to the same token cannot be equals.
 */
export class SentencePiece implements TokenModel {
  readonly #ids: ReadonlyMap<string, number>
  readonly #pairs: PairTable
  readonly #byteIds: readonly (number | undefined)[]
  readonly #unknownId: number | undefined
  readonly #addsSpacePrefix: boolean

  constructor(metadata: SettledTokenizer) {
    const { tokens, scores, tokenTypes } = metadata
    this.#ids = textTokenIds(metadata)
    this.#pairs = mergesFromScores(this.#ids, scores!)
    const byteIds = new Map<string, number>()
    for (const [id, token] of tokens.entries()) if (tokenTypes[id] === TOKEN_TYPE.byte) byteIds.set(token, id)
    this.#byteIds = Array.from({ length: 256 }, (_, byte) => byteIds.get(byteToken(byte)))
    this.#unknownId = metadata.unknownId
    this.#addsSpacePrefix = metadata.addSpacePrefix ?? true
  }

  encode(text: string, startsFresh: boolean): number[] {
    if (text === '') return []
    const prefixed = startsFresh && this.#addsSpacePrefix ? ` ${text}` : text
    const characters = Array.from(prefixed.replaceAll(' ', SPACE))
    const symbols = characters.map((character, index) => this.#ids.get(character) ?? -1 - index)
    return mergeSymbols(symbols, this.#pairs).flatMap((id) => (id >= 0 ? id : this.#fallBack(characters[-1 - id]!)))
  }

  #fallBack(character: string): number[] {
    return Array.from(utf8.encode(character)).flatMap((byte) => this.#byteIds[byte] ?? this.#unknownId ?? [])
  }
}

const byteToken = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`

/** Every way to cut a token into two tokens is a merge; its rank is how many scores are higher than the token's. */
function mergesFromScores(ids: ReadonlyMap<string, number>, scores: Float32Array): PairTable {
  const rankOfScore = new Map<number, number>()
  for (const score of Float32Array.from(scores).sort().reverse()) {
    if (!rankOfScore.has(score)) rankOfScore.set(score, rankOfScore.size)
  }
  const merges: [left: number, right: number, merged: number][] = []
  for (const [token, merged] of ids) {
    for (let cut = 1; cut < token.length; cut++) {
      const left = ids.get(token.slice(0, cut))
      const right = left === undefined ? undefined : ids.get(token.slice(cut))
      if (left !== undefined && right !== undefined) merges.push([left, right, merged])
    }
  }
  const pairs = new PairTable(merges.length)
  for (const [left, right, merged] of merges) pairs.add(left, right, rankOfScore.get(scores[merged]!)!, merged)
  return pairs
}
