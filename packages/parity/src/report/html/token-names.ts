import type { Comparison } from '../../comparison/comparison.ts'
import { clip, html, type Markup, visible } from './markup.ts'

/** Tokens as people read them: the decoded text in quotes where a tokenizer is at hand, and always the id. */
export class TokenNames {
  readonly #decode: ((id: number) => string) | undefined
  readonly #ids: readonly number[]

  /** Positions after the prompt are those of the candidate's continuation, where its recording holds it. */
  constructor({ alignment, candidate }: Comparison, decode?: (id: number) => string) {
    this.#decode = decode
    this.#ids = [...alignment.promptTokenIds, ...(candidate.identity.generatedTokenIds ?? [])]
  }

  get decodes(): boolean {
    return this.#decode !== undefined
  }

  /** `"·the" 262`, or `id 262` */
  text(id: number): string {
    const decoded = this.#decoded(id)
    return decoded === undefined ? `id ${id}` : `${decoded} ${id}`
  }

  markup(id: number): Markup {
    const decoded = this.#decoded(id)
    if (decoded === undefined) return html`<span class="token"><span class="id">id ${id}</span></span>`
    return html`<span class="token"><bdi>${decoded}</bdi> <span class="id">${id}</span></span>`
  }

  /** The token that was fed at a position, in brackets, where it is known. */
  atPosition(position: number): Markup | undefined {
    const id = this.#ids[position]
    return id === undefined ? undefined : html`(${this.markup(id)})`
  }

  textAtPosition(position: number): string | undefined {
    const id = this.#ids[position]
    return id === undefined ? undefined : this.text(id)
  }

  #decoded(id: number): string | undefined {
    if (this.#decode === undefined) return undefined
    try {
      const text = this.#decode(id)
      return text === '' ? '(control)' : clip(visible(JSON.stringify(clip(text, 32))), 40)
    } catch {
      // An id of the recording that the tokenizer does not know: the id alone says so.
      return undefined
    }
  }
}
