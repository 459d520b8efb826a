import { bytesOfByteLevel } from './byte-level.ts'
import type { SettledTokenizer } from './special-tokens.ts'
import { TOKEN_TYPE } from './tokenizer-metadata.ts'

const utf8 = new TextEncoder()
const NO_BYTES = new Uint8Array()

/** The bytes that a token adds to an answer: none for control tokens, maybe a part of a UTF-8 character. */
export function tokenBytes({ model, tokens, tokenTypes }: SettledTokenizer, id: number): Uint8Array {
  const token = tokens[id]
  if (token === undefined) throw new RangeError(`token id ${id} is outside the vocabulary of ${tokens.length}`)
  const type = tokenTypes[id]!
  if (type === TOKEN_TYPE.userDefined) return utf8.encode(token)
  if (type !== TOKEN_TYPE.normal && type !== TOKEN_TYPE.byte) return NO_BYTES
  if (model === 'gpt2') return bytesOfByteLevel(token)
  // SentencePiece: `<0x0A>`, and `▁` for a space.
  if (type === TOKEN_TYPE.byte) return Uint8Array.of(Number.parseInt(token.slice(3, 5), 16))
  return utf8.encode(token.replaceAll('▁', ' '))
}
