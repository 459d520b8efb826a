import type { ChildProcess } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'

const TAIL_LINES = 20
/** Of a line, what is kept for a diagnosis and read as the protocol's. */
const LINE_CHARACTERS = 65_536
/** A worker that prints without end fills no disk. */
const MAX_LOG_BYTES = 64 * 1024 * 1024

/** worker.log: what the worker prints, as it comes, with its last lines at hand for a diagnosis. */
export class WorkerLog {
  readonly #file: WriteStream
  readonly #tail: string[] = []
  #bytes = 0

  constructor(path: string) {
    this.#file = createWriteStream(path)
  }

  /** Writes down both streams of `child`; `onStdoutLine` sees each line of stdout too. */
  follow(child: ChildProcess, onStdoutLine: (line: string) => void): void {
    for (const stream of [child.stdout!, child.stderr!]) {
      const decoder = new StringDecoder('utf8')
      let line = ''
      const finishLine = () => {
        this.#write(`${line}\n`)
        this.#tail.push(line)
        if (this.#tail.length > TAIL_LINES) this.#tail.shift()
        if (stream === child.stdout) onStdoutLine(line)
        line = ''
      }
      stream.on('data', (chunk: Buffer) => {
        const [rest, ...lines] = decoder.write(chunk).split(/\r?\n/)
        line = (line + rest).slice(0, LINE_CHARACTERS)
        for (const next of lines) {
          finishLine()
          line = next.slice(0, LINE_CHARACTERS)
        }
      })
      stream.on('end', () => {
        if (line !== '') finishLine()
      })
    }
  }

  #write(text: string): void {
    // A process that outlived the worker may still hold its pipes.
    if (this.#file.writableEnded || this.#bytes > MAX_LOG_BYTES) return
    this.#bytes += Buffer.byteLength(text)
    this.#file.write(this.#bytes > MAX_LOG_BYTES ? `no more than ${MAX_LOG_BYTES} bytes are kept\n` : text)
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
