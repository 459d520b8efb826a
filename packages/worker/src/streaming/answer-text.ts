import { StopMatcher } from './stop-matcher.ts'
import { type TokenText, Utf8Assembler } from './utf8-assembler.ts'

export interface AnswerPiece {
  /** Text that can be sent: whole UTF-8, and not the beginning of a stop string. */
  readonly t: string
  /** The stop string that was found: the answer ends here. */
  readonly stopped?: string
}

/**
 * The text of an answer, as the bytes of its tokens come. All `t` joined, that of `finish` too, are the decoded tokens
 * (incomplete or invalid bytes as U+FFFD) cut at the first stop match.
 */
export class AnswerText {
  readonly #utf8 = new Utf8Assembler()
  readonly #stops: StopMatcher

  constructor(stops: readonly string[]) {
    this.#stops = new StopMatcher(stops)
  }

  push(token: TokenText): AnswerPiece {
    return this.#stops.push(this.#utf8.push(token))
  }

  /** What is still withheld. The U+FFFD of an incomplete character may be what completes a stop string. */
  finish(): AnswerPiece {
    const last = this.#stops.push(this.#utf8.finish())
    return last.stopped === undefined ? { t: last.t + this.#stops.finish() } : last
  }
}
