import type { AnswerPiece } from './answer-text.ts'

/**
 * Finds stop strings in text that comes in pieces, and withholds what may be the beginning of one. The first match is the
 * one that is complete first, since an answer ends there and then; of those that are complete at the same character it is
 * the longest. So it does not matter how the text is cut into pieces.
 */
export class StopMatcher {
  readonly #stops: readonly string[]
  #withheld = ''
  #stopped = false

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '')
  }

  push(text: string): AnswerPiece {
    if (this.#stops.length === 0) return { t: text }
    if (this.#stopped) return { t: '' }
    const pending = this.#withheld + text
    const match = this.#firstMatch(pending)
    if (match !== undefined) {
      this.#stopped = true
      this.#withheld = ''
      return { t: pending.slice(0, match.start), stopped: match.stop }
    }
    const sendable = pending.length - this.#beginningAtEnd(pending)
    this.#withheld = pending.slice(sendable)
    return { t: pending.slice(0, sendable) }
  }

  /** What was withheld: no more text comes to make it a stop string. */
  finish(): string {
    const rest = this.#withheld
    this.#withheld = ''
    return rest
  }

  #firstMatch(text: string): { start: number; stop: string } | undefined {
    return this.#stops
      .map((stop) => ({ start: text.indexOf(stop), stop }))
      .filter(({ start }) => start >= 0)
      .sort((a, b) => a.start + a.stop.length - (b.start + b.stop.length) || a.start - b.start)[0]
  }

  /** The length of the longest end of the text that a stop string begins with. */
  #beginningAtEnd(text: string): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1))
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      const end = text.slice(-length)
      if (this.#stops.some((stop) => stop.startsWith(end))) return length
    }
    return 0
  }
}
