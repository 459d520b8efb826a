import { randomInt } from 'node:crypto'
import { Template } from '@huggingface/jinja'
import { type ChatMessage, InvalidRequestError } from '@plumbline/protocol'
import { anyOf } from './special-tokens.ts'

export interface ChatTemplateTokens {
  /** Texts of the tokens, as templates write them; '' when the model has none. */
  readonly bos: string
  readonly eos: string
  /** The control tokens' texts (of two characters or more), which no message may write. */
  readonly control: readonly string[]
}

/**
 * A model's chat template, rendered so that no message can write a control token.
 *
 * The template sees the messages as they are, so it may trim them and look into them, but for one thing: where a message
 * holds the text of a control token, a mark that nobody can guess is put into it. In the rendered text the mark keeps it
 * from being that token, and is taken out once the text has been cut at the control tokens. All else is encoded as the one
 * text that it is, so merges across the border of a message are those that the model was trained with.
 *
 * What this does not see through: a template that writes messages differently (lower-cases them, replaces in them) and so
 * makes a control token's text out of what was none. No template of a published model is known to.
 */
export class ChatTemplate {
  readonly #source: string
  readonly #template: Template
  readonly #tokens: ChatTemplateTokens
  /** The first character of each control token's text, also where two texts overlap. */
  readonly #beginnings: RegExp | undefined
  readonly #prefixes = new Set<string>()
  readonly #suffixes = new Set<string>()
  readonly #longest: number

  /** @throws Error when the source is not a template */
  constructor(source: string, tokens: ChatTemplateTokens) {
    this.#source = source
    this.#template = new Template(source)
    this.#tokens = tokens
    this.#beginnings = tokens.control.length === 0 ? undefined : new RegExp(`(?=${anyOf(tokens.control)}).`, 'gsu')
    for (const token of tokens.control) {
      for (let cut = 1; cut < token.length; cut++) {
        this.#prefixes.add(token.slice(0, cut))
        this.#suffixes.add(token.slice(cut))
      }
    }
    this.#longest = Math.max(0, ...tokens.control.map((token) => token.length))
  }

  /**
   * @returns the text, and the mark to take out of it after control tokens have been found
   * @throws InvalidRequestError when the template refuses the messages (`raise_exception`) or fails on them
   */
  render(messages: readonly ChatMessage[]): { text: string; mark: string } {
    const mark = createMark()
    try {
      const text = this.#template.render({
        messages: messages.map(({ role, content }) => ({ role, content: this.#markControlTokens(content, mark) })),
        add_generation_prompt: true,
        bos_token: this.#tokens.bos,
        eos_token: this.#tokens.eos,
      })
      return { text, mark }
    } catch (error) {
      throw messagesError('chat_template', `the model's chat template refuses them${this.#reason(error)}`)
    }
  }

  /** What the template says with `raise_exception`, if those are its own words: a message must not come back in an error. */
  #reason(error: unknown): string {
    const text = error instanceof Error ? error.message : ''
    return text !== '' && this.#source.includes(text) ? `: ${text}` : ''
  }

  #markControlTokens(content: string, mark: string): string {
    if (this.#beginnings === undefined) return content
    const marked = content.replace(this.#beginnings, (first) => first + mark)
    // What the template writes beside a message must not complete a control token that the message begins or ends with
    // either. The mark goes where a template that trims still finds the white space to trim.
    const start = marked.length - marked.trimStart().length
    const end = marked.trimEnd().length
    if (start >= end) return marked
    const lengths = Array.from({ length: Math.min(this.#longest, end - start) }, (_, index) => index + 1)
    const before = lengths.some((length) => this.#suffixes.has(marked.slice(start, start + length))) ? mark : ''
    const after = lengths.some((length) => this.#prefixes.has(marked.slice(end - length, end))) ? mark : ''
    return marked.slice(0, start) + before + marked.slice(start, end) + after + marked.slice(end)
  }
}

/** @param constraint what of the model's template stands against the messages */
export function messagesError(constraint: string, message: string): InvalidRequestError {
  return new InvalidRequestError([{ field: 'messages', constraint, message }])
}

/** 128 random bits as private-use characters: they have no case, are no white space, and JSON keeps them. */
function createMark(): string {
  return String.fromCodePoint(...Array.from({ length: 8 }, () => randomInt(0xf0000, 0x100000)))
}
