/** Text that is HTML already. Only `html` makes it, so nothing that a recording holds gets into a page unescaped. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Content = Markup | string | number | undefined | false | readonly Content[]

/** Markup from a template: what stands in it as Markup is kept, lists are joined, undefined and false vanish, all else is escaped. */
export function html(template: TemplateStringsArray, ...contents: Content[]): Markup {
  return new Markup(template.reduce((text, part, i) => text + markupText(contents[i - 1]) + part))
}

/** Markup that this package wrote itself, such as its style sheet. */
export function raw(text: string): Markup {
  return new Markup(text)
}

function markupText(content: Content): string {
  if (content === undefined || content === false) return ''
  if (content instanceof Markup) return content.text
  if (typeof content === 'object') return content.map(markupText).join('')
  return escapeText(String(content))
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** At most twice `longest` bytes, whatever has to be escaped in it. */
function escapeText(text: string, longest = LONGEST): string {
  for (let kept = longest; ; kept = Math.floor(kept / 2)) {
    const shown = clip(visible(clip(text, kept)), kept)
    const escaped = shown.replace(/[&<>"']/g, (character) => ENTITIES[character]!)
    if (Buffer.byteLength(escaped) <= 2 * longest) return escaped
  }
}

/** No string of a recording takes more characters of a page. */
const LONGEST = 600

/** Text of which more is worth its place: a command to be pasted, two prompts side by side. */
export function longText(text: string): Markup {
  return new Markup(escapeText(text, 10_000))
}

/** `text` with its middle left out where it is longer than that many characters. */
export function clip(text: string, longest: number): string {
  if (text.length <= longest) return text
  const half = Math.floor((longest - 1) / 2)
  // No half of a surrogate pair at the cut: it would not survive UTF-8.
  return `${text.slice(0, half)}…${text.slice(text.length - half)}`.toWellFormed()
}

/** Controls, bidirectional overrides and other characters that cannot be seen, as \u{…}: they could make a page say what it does not. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '\n') return character
    return `\\u{${character.codePointAt(0)!.toString(16)}}`
  })
}

/** The first so many of a list, and a line that says how many were left out. */
export function capped<T>(
  items: readonly T[],
  most: number,
  show: (item: T) => Markup,
  rest: (left: number) => Markup,
): Markup[] {
  const shown = items.slice(0, most).map(show)
  return items.length > most ? [...shown, rest(items.length - most)] : shown
}

/** A JSON value inside a <script> that is only read: no `<` can end it early. */
export function jsonBlock(id: string, value: unknown): Markup {
  const text = JSON.stringify(value).replaceAll('<', '\\u003c')
  return html`<script type="application/json" id="${id}">${raw(text)}</script>`
}
