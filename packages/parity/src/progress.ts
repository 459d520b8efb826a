/** Where there is no terminal, a stage that goes on is told again after this long. */
const REPEAT_MS = 5_000
/** A terminal is written to no more often than that. */
const REFRESH_MS = 100

/** What is going on, on stderr: on a terminal one line that is written over, elsewhere a plain line now and then. */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  #toldAt = performance.now()
  #shown = false

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  show(stage: string, done: number, of: number): void {
    const now = performance.now()
    if (now - this.#toldAt < (this.#stream.isTTY ? REFRESH_MS : REPEAT_MS)) return
    this.#toldAt = now
    const line = `${stage}: ${of === 0 ? 100 : Math.floor((100 * done) / of)} %`
    this.#stream.write(
      this.#stream.isTTY ? `\r\u001b[2K${line.slice(0, (this.#stream.columns || 80) - 1)}` : `${line}\n`,
    )
    this.#shown = true
  }

  /** Leaves the line clean for the report. */
  done(): void {
    if (this.#stream.isTTY && this.#shown) this.#stream.write('\r\u001b[2K')
    this.#shown = false
  }
}
