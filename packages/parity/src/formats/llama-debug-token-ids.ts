/** Token ids as `llama-eval-callback` prints them (a line each) and as `llama-debug` does (`piece(id) ` after piece). */
export class PrintedTokenIds {
  #wanted = 0
  #lines: number[] | undefined
  #pieces: string | undefined

  see(text: string): void {
    const count = /number of input tokens = (\d{1,7})\s*$/.exec(text) ?? /^Token ids \((\d{1,7})\):\s*$/.exec(text)
    if (count !== null) {
      this.#wanted = Number(count[1])
      if (text.startsWith('Token ids')) this.#pieces = ''
      else this.#lines = []
    } else if (this.#pieces !== undefined && this.#pieces.length < 1 << 20 && this.#pieceIds().length < this.#wanted) {
      this.#pieces += `${text}\n`
    } else if (this.#lines !== undefined && this.#lines.length < this.#wanted) {
      const id = /^(?:.*?\s)?\s*(\d{1,9})\s*$/.exec(text)
      if (id !== null) this.#lines.push(Number(id[1]))
    }
  }

  /** Undefined where there are not just as many as were told: a piece may look like an id. */
  ids(): readonly number[] | undefined {
    const found = this.#pieces === undefined ? (this.#lines ?? []) : this.#pieceIds()
    return found.length === this.#wanted && found.length > 0 ? found : undefined
  }

  #pieceIds(): number[] {
    return [...(this.#pieces ?? '').matchAll(/\((\d{1,9})\) /g)].map((match) => Number(match[1]))
  }
}
