import { styleText } from 'node:util'

/**
 * What is going on, on stderr: on a terminal one line that is written over, elsewhere a plain line for each new stage.
 */
export class Progress {
  readonly #stream: NodeJS.WriteStream
  readonly #quiet: boolean
  #stage = ''

  constructor(stream: NodeJS.WriteStream, quiet = false) {
    this.#stream = stream
    this.#quiet = quiet
  }

  /** `detail` changes while a stage goes on: plain output leaves it out after the first time. */
  show(stage: string, detail = ''): void {
    if (this.#quiet) return
    const line = detail === '' ? stage : `${stage} ${detail}`
    if (this.#stream.isTTY) {
      const room = (this.#stream.columns || 80) - 3
      this.#stream.write(`\r\u001b[2K${styleText('cyan', '◌', { stream: this.#stream })} ${line.slice(0, room)}`)
    } else if (stage !== this.#stage) {
      this.#stream.write(`${line}\n`)
    }
    this.#stage = stage
  }

  /** Leaves the line clean for the report. */
  done(): void {
    if (!this.#quiet && this.#stream.isTTY && this.#stage !== '') this.#stream.write('\r\u001b[2K')
    this.#stage = ''
  }
}
