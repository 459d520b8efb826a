import { TOKEN_TYPE, type TokenizerMetadata } from './tokenizer-metadata.ts'

/** A tokenizer whose types are settled: one for each token. */
export type SettledTokenizer = TokenizerMetadata & { readonly tokenTypes: Int32Array }

// Models are published whose eos_token_id is only one of the tokens that end a turn (Qwen2.5's base GGUFs name
// <|endoftext|>, and answers end with <|im_end|>): llama.cpp, too, knows the others by their texts.
export const ENDS_GENERATION: ReadonlySet<string> = new Set([
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<|end|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<end_of_turn>',
])

const LOOKS_LIKE_CONTROL = /^<\|.*\|>$/su
const CHANGEABLE: ReadonlySet<number> = new Set([TOKEN_TYPE.normal, TOKEN_TYPE.userDefined, TOKEN_TYPE.unused])
const IS_BRACKETED = /^(<\S+>|\[\/?[A-Z_]+\])$/u

/**
 * The type of each token, as the file says it, but for tokens that are control tokens all the same, since converters have been known to
 * mix them up:
 *
 * - those that the file declares as EOS, EOT or EOM, and those that are known to end an answer, whatever their type and length: a
 *   user who types one must not end the turn. A byte that ends a turn can be typed no more, then;
 * - the one that it declares as BOS, and user-defined ones that look like control tokens (`<|im_start|>`), if they have two
 *   characters or more;
 * - in a file without token_type, those that look like that, and those that the chat template writes in brackets
 *   (`<start_of_turn>`, `[INST]`).
 */
export function settleTypes(metadata: TokenizerMetadata): SettledTokenizer {
  const { tokens, chatTemplate = '', bosId, eosId, eotId, eomId } = metadata
  const ends = new Set([eosId, eotId, eomId])
  const isTyped = metadata.tokenTypes !== undefined
  const tokenTypes = metadata.tokenTypes?.slice() ?? new Int32Array(tokens.length).fill(TOKEN_TYPE.normal)
  for (const [id, token] of tokens.entries()) {
    const type = tokenTypes[id]!
    if (ends.has(id) || ENDS_GENERATION.has(token)) tokenTypes[id] = TOKEN_TYPE.control
    if (!CHANGEABLE.has(type) || isOneCharacter(token)) continue
    const mayBe = isTyped
      ? type === TOKEN_TYPE.userDefined && LOOKS_LIKE_CONTROL.test(token)
      : LOOKS_LIKE_CONTROL.test(token) || (IS_BRACKETED.test(token) && chatTemplate.includes(token))
    if (mayBe || id === bosId) tokenTypes[id] = TOKEN_TYPE.control
  }
  return { ...metadata, tokenTypes }
}

const isOneCharacter = (text: string) => text.length <= 2 && Array.from(text).length < 2

/**
 * Tokens that text is never made into by merging.
 *
 * - control tokens (`<|im_end|>`) come from templates alone: typed by a user they are plain text;
 * - user-defined tokens (`<tool_call>`) are whole wherever they occur, in a user's text too, since that is how models
 *   saw them in training.
 */
export interface SpecialTokens {
  /** By text. */
  readonly control: ReadonlyMap<string, number>
  readonly userDefined: ReadonlyMap<string, number>
}

export function specialTokens({ tokens, tokenTypes }: SettledTokenizer): SpecialTokens {
  const control = new Map<string, number>()
  const userDefined = new Map<string, number>()
  for (const [id, token] of tokens.entries()) {
    const type = tokenTypes[id]!
    if (type === TOKEN_TYPE.userDefined && token !== '') userDefined.set(token, id)
    const isControl = type === TOKEN_TYPE.control || type === TOKEN_TYPE.unknown
    if (isControl && token !== '') control.set(token, id)
  }
  return { control, userDefined }
}

/** The ids that merging may lead to: of every token that is neither special nor stands for one byte. */
export function textTokenIds({ tokens, tokenTypes }: SettledTokenizer): Map<string, number> {
  const ids = new Map<string, number>()
  for (const [id, token] of tokens.entries()) {
    const type = tokenTypes[id]!
    if (type === TOKEN_TYPE.normal || type === TOKEN_TYPE.unused) ids.set(token, id)
  }
  return ids
}

/** Text that is to be encoded, or the id of a special token that stood there. */
export type Fragment = string | number

/** Cuts text at the special tokens in it: the leftmost first, the longest among those that begin there. */
export class SpecialTokenSplitter {
  readonly #ids: ReadonlyMap<string, number>
  readonly #pattern: RegExp | undefined

  constructor(ids: ReadonlyMap<string, number>) {
    this.#ids = ids
    this.#pattern = ids.size === 0 ? undefined : new RegExp(`(${anyOf([...ids.keys()])})`, 'u')
  }

  split(text: string): Fragment[] {
    if (this.#pattern === undefined) return text === '' ? [] : [text]
    // A capture group makes `split` keep what it cuts at, at the odd places.
    return text
      .split(this.#pattern)
      .map((part, index) => (index % 2 === 1 ? this.#ids.get(part)! : part))
      .filter((fragment) => fragment !== '')
  }
}

/** The source of a pattern that matches any of these texts, the longest first. */
export function anyOf(texts: readonly string[]): string {
  const longestFirst = [...texts].sort((a, b) => b.length - a.length)
  return longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|')
}
