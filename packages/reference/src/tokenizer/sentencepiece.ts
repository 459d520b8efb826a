import { PlumblineError } from '@plumbline/protocol'
import { Metadata } from '../gguf/metadata.ts'
import type { GgufFile } from '../gguf/read-gguf.ts'
import { mergePairs } from './merge-pairs.ts'
import type { TextEncoding } from './tokenizer.ts'
import { TOKEN_TYPE, type Vocabulary } from './vocabulary.ts'

/** U+2581, which stands for a space. */
const SPACE_MARK = '\u2581'

/**
 * SentencePiece's BPE (Kudo and Richardson, EMNLP 2018, arXiv 1808.06226; bpe_model.cc): `tokenizer.ggml.model` = llama.
 * Spaces become U+2581, characters are merged, the pair whose union has the highest score first, and a character that is no
 * token falls back to the tokens of its bytes, <0x00> to <0xFF>.
 */
export function sentencePieceEncoding(gguf: GgufFile, vocabulary: Vocabulary): TextEncoding {
  const metadata = new Metadata(gguf)
  const { tokens, types, textIds, unknownId } = vocabulary
  const scores = metadata.require(metadata.numbers, 'tokenizer.ggml.scores')
  if (scores.length !== tokens.length) {
    const message = `tokenizer.ggml.scores has ${scores.length} entries for ${tokens.length} tokens`
    throw new PlumblineError('INVALID_GGUF', message, { field: 'tokenizer.ggml.scores' })
  }
  const addSpacePrefix = metadata.boolean('tokenizer.ggml.add_space_prefix') ?? true
  const byteIds = new Map<number, number>()
  const bytesById = new Map<number, number>()
  for (const [id, token] of tokens.entries()) {
    const hexadecimal = types[id] === TOKEN_TYPE.byte ? /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1] : undefined
    if (hexadecimal === undefined) continue
    byteIds.set(Number.parseInt(hexadecimal, 16), id)
    bytesById.set(id, Number.parseInt(hexadecimal, 16))
  }

  const rankOf = (left: string, right: string) => {
    const id = textIds.get(left + right)
    return id === undefined ? Infinity : -scores[id]!
  }
  const symbolIds = (symbol: string): number[] => {
    const id = textIds.get(symbol)
    if (id !== undefined) return [id]
    return [...Buffer.from(symbol)].flatMap((byte) => byteIds.get(byte) ?? unknownId ?? [])
  }

  return {
    addBosByDefault: true,
    encodeText: (text, afterSpecial) => {
      const prefixed = addSpacePrefix && afterSpecial ? ` ${text}` : text
      const symbols = [...prefixed.replaceAll(' ', SPACE_MARK)]
      return mergePairs(symbols, rankOf).flatMap(symbolIds)
    },
    tokenBytes: (id) => {
      const byte = bytesById.get(id)
      return byte === undefined ? [...Buffer.from(tokens[id]!.replaceAll(SPACE_MARK, ' '))] : [byte]
    },
  }
}
