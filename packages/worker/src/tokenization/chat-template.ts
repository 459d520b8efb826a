import { randomInt } from 'node:crypto'
import { Template } from '@huggingface/jinja'
import type { ChatMessage } from '@plumbline/protocol'
import { messagesError } from './messages-error.ts'
import { anyOf, type Fragment, SpecialTokenSplitter } from './special-tokens.ts'

export interface ChatTemplateTokens {
  /** Texts of the tokens, as templates write them; '' when the model has none. */
  readonly bos: string
  readonly eos: string
  /** The control tokens' ids by their texts, which no message may write. */
  readonly control: ReadonlyMap<string, number>
}

/**
 * A model's chat template, rendered so that no message can write a control token.
 *
 * The template sees the messages as they are, so it may trim them and look into them, but for one thing: where a message
 * holds the text of a control token, a mark that nobody can guess is put into it (or put in its place, if it is one character). In the
 * rendered text the mark keeps it from being that token, and is taken out once the text has been cut at the control tokens. All else
 * is encoded as the one text that it is, so merges across the border of a message are those that the model was trained with.
 *
 * A template may also write messages differently (lower-case them, replace in them), and so make a control token's text out of what
 * was none. So each chat is rendered a second time, with a mark around each single character of the messages, from which no template
 * makes a control token. If that has other control tokens than the first, it is what counts.
 */
export class ChatTemplate {
  readonly #source: string
  readonly #template: Template
  readonly #tokens: ChatTemplateTokens
  readonly #splitter: SpecialTokenSplitter
  /** The first character of each control token's text, also where two texts overlap. */
  readonly #beginnings: RegExp | undefined
  readonly #prefixes = new Set<string>()
  readonly #suffixes = new Set<string>()
  readonly #longest: number
  readonly #anyControl: RegExp | undefined
  /** What stands for control tokens of one character where a message has them. */
  readonly #standIns: ReadonlyMap<string, string>

  /** @throws Error when the source is not a template */
  constructor(source: string, tokens: ChatTemplateTokens) {
    this.#source = source
    this.#template = new Template(source)
    boundRanges(this.#template.parsed)
    this.#tokens = tokens
    this.#splitter = new SpecialTokenSplitter(tokens.control)
    const control = [...tokens.control.keys()]
    const matchAny = (source: string) => (control.length === 0 ? undefined : new RegExp(source, 'gsu'))
    this.#anyControl = matchAny(anyOf(control))
    this.#beginnings = matchAny(`(?=${anyOf(control)}).`)
    const single = control.filter((token) => Array.from(token).length === 1)
    this.#standIns = new Map(single.map((token) => [token, createMark()]))
    for (const token of control) {
      for (let cut = 1; cut < token.length; cut++) {
        this.#prefixes.add(token.slice(0, cut))
        this.#suffixes.add(token.slice(cut))
      }
    }
    this.#longest = Math.max(0, ...control.map((token) => token.length))
  }

  /**
   * The chat cut at its control tokens.
   *
   * @throws InvalidRequestError when the template refuses the messages (`raise_exception`) or fails on them
   */
  fragments(messages: readonly ChatMessage[]): Fragment[] {
    const { text, unmark } = this.render(messages)
    return this.#splitter
      .split(text)
      .map((fragment) => (typeof fragment === 'number' ? fragment : unmark(fragment)))
      .filter((fragment) => fragment !== '')
  }

  /**
   * @returns the text, and what takes the marks out of the parts of it between control tokens
   * @throws InvalidRequestError when the template refuses the messages (`raise_exception`) or fails on them
   */
  render(messages: readonly ChatMessage[]): { text: string; unmark: (part: string) => string } {
    const mark = createMark()
    const text = this.#renderWith(messages, (content) => this.#markControlTokens(content, mark))
    const everywhere = this.#renderWith(messages, (content) => this.#markAll(content, mark))
    const unmark = (part: string) =>
      [...this.#standIns].reduce(
        (unmarked, [token, standIn]) => unmarked.replaceAll(standIn, token),
        part.replaceAll(mark, ''),
      )
    return { text: this.#controls(text) === this.#controls(everywhere) ? text : everywhere, unmark }
  }

  #renderWith(messages: readonly ChatMessage[], marked: (content: string) => string): string {
    try {
      return this.#template.render({
        messages: messages.map(({ role, content }) => ({ role, content: marked(content) })),
        add_generation_prompt: true,
        bos_token: this.#tokens.bos,
        eos_token: this.#tokens.eos,
        [BOUNDED_RANGE]: boundedRange,
      })
    } catch (error) {
      throw messagesError('chat_template', `the model's chat template refuses them${this.#reason(error)}`)
    }
  }

  /** What the template says with `raise_exception`, if those are its own words: a message must not come back in an error. */
  #reason(error: unknown): string {
    if (error instanceof RangeTooLongError) return `: ${error.message}`
    const text = error instanceof Error ? error.message : ''
    return text !== '' && this.#source.includes(text) ? `: ${text}` : ''
  }

  /** All control tokens in a text, in order. */
  #controls(text: string): string {
    return this.#anyControl === undefined ? '' : (text.match(this.#anyControl)?.join('\0') ?? '')
  }

  /** As few marks as will do. */
  #markControlTokens(content: string, mark: string): string {
    if (this.#beginnings === undefined) return content
    const marked = content.replace(this.#beginnings, (first) => this.#standIns.get(first) ?? first + mark)
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

  /** A mark at every border between characters, but for white space that a template may want to trim. */
  #markAll(content: string, mark: string): string {
    const inner = content.trim()
    const start = content.indexOf(inner)
    const marked = Array.from(inner, (character) => mark + (this.#standIns.get(character) ?? character))
    const edge = (space: string) =>
      Array.from(space, (character) => this.#standIns.get(character) ?? character).join('')
    return edge(content.slice(0, start)) + marked.join('') + mark + edge(content.slice(start + inner.length))
  }
}

const BOUNDED_RANGE = 'bounded range'

class RangeTooLongError extends RangeError {}

/** Messages are the most that a template counts, and of those there are a thousand. */
const LONGEST_RANGE = 100_000

/**
 * Jinja's `range([start,] stop[, step])`, in place of the library's, whose range(100000000) takes a gigabyte. V8 ends the whole process,
 * and not the thread alone, when one allocation goes far beyond the thread's limit. The library declares its own where it cannot be
 * replaced, so calls of it are made calls of this one.
 */
function boundedRange(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop]
  const length = Math.max(0, Math.ceil((to - from) / step))
  if (!(length <= LONGEST_RANGE))
    throw new RangeTooLongError(`range() would have ${length} items, may have ${LONGEST_RANGE}`)
  return Array.from({ length }, (_, index) => from + index * step)
}

/** In a template's syntax tree, or any part of it. */
function boundRanges(node: unknown): void {
  if (typeof node !== 'object' || node === null) return
  const { type, callee } = node as { type?: string; callee?: { type: string; value: string } }
  if (type === 'CallExpression' && callee?.type === 'Identifier' && callee.value === 'range')
    callee.value = BOUNDED_RANGE
  for (const part of node instanceof Map ? [...node].flat() : Object.values(node)) boundRanges(part)
}

/** @throws InvalidRequestError when it is none: a model with such a one still takes prompts */
export function readTemplate(source: string, tokens: ChatTemplateTokens): ChatTemplate {
  try {
    return new ChatTemplate(source, tokens)
  } catch (error) {
    const why = (error as Error).message
    throw messagesError('chat_template', `this model's chat template cannot be read (${why}): give prompt instead`)
  }
}

/** 128 random bits as private-use characters: they have no case, are no white space, and JSON keeps them. */
function createMark(): string {
  return String.fromCodePoint(...Array.from({ length: 8 }, () => randomInt(0xf0000, 0x100000)))
}
