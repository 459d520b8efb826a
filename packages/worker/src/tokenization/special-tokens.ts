import { TOKEN_TYPE, type TokenizerMetadata } from './tokenizer-metadata.ts'

/**
 * Tokens that text is never made into by merging.
 *
 * - control tokens (`<|im_end|>`) come from templates alone: typed by a user they are plain text;
 * - user-defined tokens (`<tool_call>`) are whole wherever they occur, in a user's text too, since that is how models
 *   saw them in training. One that looks like a control token is taken for one: converters have been known to mix them up.
 */
export interface SpecialTokens {
  /** By text. */
  readonly control: ReadonlyMap<string, number>
  readonly userDefined: ReadonlyMap<string, number>
}

const LOOKS_LIKE_CONTROL = /^<\|.*\|>$/su

export function specialTokens({ tokens, tokenTypes }: TokenizerMetadata): SpecialTokens {
  const control = new Map<string, number>()
  const userDefined = new Map<string, number>()
  for (const [id, type] of (tokenTypes ?? []).entries()) {
    const token = tokens[id]
    if (token === undefined || token === '') continue
    const isControl = type === TOKEN_TYPE.control || type === TOKEN_TYPE.unknown
    if (type === TOKEN_TYPE.userDefined && !LOOKS_LIKE_CONTROL.test(token)) userDefined.set(token, id)
    // One character cannot be marked as typed by a user (chat-template.ts), so no control token is parsed from one.
    else if ((isControl || type === TOKEN_TYPE.userDefined) && [...token].length > 1) control.set(token, id)
  }
  return { control, userDefined }
}

/** The ids that merging may lead to: of every token that is neither special nor stands for one byte. */
export function textTokenIds({ tokens, tokenTypes }: TokenizerMetadata): Map<string, number> {
  const ids = new Map<string, number>()
  for (const [id, token] of tokens.entries()) {
    const type = tokenTypes?.[id] ?? TOKEN_TYPE.normal
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
