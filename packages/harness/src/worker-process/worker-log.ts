import type { ChildProcess } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { createInterface } from 'node:readline'

const TAIL_LINES = 20

/** worker.log: all that the worker prints, as it comes, with its last lines at hand for a diagnosis. */
export class WorkerLog {
  readonly #file: WriteStream
  readonly #tail: string[] = []

  constructor(path: string) {
    this.#file = createWriteStream(path)
  }

  /** Writes down both streams of `child`; `onStdoutLine` sees each line of stdout too. */
  follow(child: ChildProcess, onStdoutLine: (line: string) => void): void {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        // A process that outlived the worker may still hold its pipes.
        if (!this.#file.writableEnded) this.#file.write(`${line}\n`)
        this.#tail.push(line)
        if (this.#tail.length > TAIL_LINES) this.#tail.shift()
        if (stream === child.stdout) onStdoutLine(line)
      })
    }
  }

  tail(): readonly string[] {
    return [...this.#tail]
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#file.end(() => resolve())
    })
  }
}
