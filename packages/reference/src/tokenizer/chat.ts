import { Template } from '@huggingface/jinja'
import { type ChatMessage, InvalidRequestError } from '@plumbline/protocol'
import { anyOf, type Fragment, splitAtSpecialTokens } from './special-tokens.ts'

/**
 * A conversation through a model's chat template, cut at the special tokens that the template itself wrote.
 *
 * What people typed must not become special tokens: `<|im_end|>` in a message would end the turn. Yet the text on both sides of a
 * border between template and message has to be tokenized as one, since that is what the model was trained on. So before the template
 * sees a message, each special token's name in it is replaced by a placeholder, a private-use character that occurs in no
 * message; the result is cut at special tokens, of which only the template's are left; then the placeholders in the plain text
 * between them become the names again. A message that ends or begins with a part of a name gets an empty placeholder there, so
 * that the template cannot complete it.
 */
export function chatFragments(
  template: string,
  messages: readonly ChatMessage[],
  names: { readonly bos_token: string; readonly eos_token: string },
  specialIds: ReadonlyMap<string, number>,
): Fragment[] {
  const placeholders = new Placeholders(messages.map((message) => message.role + message.content).join(''), specialIds)
  const harmless = messages.map(({ role, content }) => ({
    role: placeholders.hide(role),
    content: placeholders.hide(content),
  }))
  const rendered = render(template, { messages: harmless, add_generation_prompt: true, ...names })
  return splitAtSpecialTokens(rendered, specialIds)
    .map((fragment) => (typeof fragment === 'number' ? fragment : placeholders.reveal(fragment)))
    .filter((fragment) => fragment !== '')
}

function render(template: string, context: Record<string, unknown>): string {
  try {
    return new Template(template).render(context)
  } catch (error) {
    // Templates refuse conversations that they were not made for, for example two user messages in a row.
    throw messagesError(`the model's chat template cannot render them: ${(error as Error).message}`)
  }
}

export function messagesError(message: string): InvalidRequestError {
  return new InvalidRequestError([{ field: 'messages', constraint: 'chat_template', message }])
}

/** The first character of Supplementary Private Use Area A. */
const FIRST_PLACEHOLDER = 0xf0000

class Placeholders {
  readonly #typed: string
  readonly #names: readonly string[]
  readonly #placeholderOf = new Map<string, string>()
  readonly #textOf = new Map<string, string>()
  #next = FIRST_PLACEHOLDER

  constructor(typed: string, specialIds: ReadonlyMap<string, number>) {
    this.#typed = typed
    this.#names = [...specialIds.keys()]
  }

  hide(text: string): string {
    if (this.#names.length === 0) return text
    const hidden = text.replaceAll(anyOf(this.#names), (name) => this.#placeholder(name))
    const border = (partOfName: (name: string, length: number) => boolean) =>
      this.#names.some((name) =>
        Array.from({ length: name.length - 1 }, (_, i) => i + 1).some((length) => partOfName(name, length)),
      )
        ? this.#placeholder('')
        : ''
    const before = border((name, length) => text.startsWith(name.slice(-length)))
    const after = border((name, length) => text.endsWith(name.slice(0, length)))
    return before + hidden + after
  }

  reveal(text: string): string {
    if (this.#textOf.size === 0) return text
    return text.replaceAll(anyOf([...this.#textOf.keys()]), (placeholder) => this.#textOf.get(placeholder)!)
  }

  #placeholder(text: string): string {
    const known = this.#placeholderOf.get(text)
    if (known !== undefined) return known
    while (this.#typed.includes(String.fromCodePoint(this.#next))) this.#next++
    const placeholder = String.fromCodePoint(this.#next++)
    this.#placeholderOf.set(text, placeholder)
    this.#textOf.set(placeholder, text)
    return placeholder
  }
}
