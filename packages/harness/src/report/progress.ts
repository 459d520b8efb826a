import { styleText } from 'node:util'

/** Where there is no terminal, a stage that goes on is told again after this long. */
const REPEAT_MS = 5_000

/**
 * What is going on, on stderr: on a terminal one line that is written over, elsewhere a plain line for each new stage, and again
 * now and then for one that takes long.
 */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  #stage = ''
  #toldAt = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  /** `detail` is what changes while a stage goes on. */
  show(stage: string, detail = ''): void {
    const line = detail === '' ? stage : `${stage}: ${detail}`
    if (this.#stream.isTTY) {
      const room = (this.#stream.columns || 80) - 3
      this.#stream.write(`\r\u001b[2K${styleText('cyan', '◌', { stream: this.#stream })} ${line.slice(0, room)}`)
    } else if (stage !== this.#stage || performance.now() - this.#toldAt > REPEAT_MS) {
      this.#stream.write(stage === this.#stage ? `${line}\n` : `${stage}\n`)
      this.#toldAt = performance.now()
    }
    this.#stage = stage
  }

  /** Leaves the line clean for the report. */
  done(): void {
    if (this.#stream.isTTY && this.#stage !== '') this.#stream.write('\r\u001b[2K')
    this.#stage = ''
  }
}
