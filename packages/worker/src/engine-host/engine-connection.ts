import type { ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { PlumblineError } from '@plumbline/protocol/errors'
import type { VocabularyData } from '../tokenization/vocabulary.ts'
import { type EngineMessage, engineMessageSchema, type FrontMessage } from './messages.ts'
import { encodeFrame, FRAME_KIND, type FrameKind, PIPE_FD, PipeFrameReader, PipeGarbageError } from './pipe-frame.ts'
import { decodeTokenBatch, type SampledToken } from './token-batch.ts'
import { decodeVocabulary } from './vocabulary-bytes.ts'

export interface EngineConnectionListener {
  onMessage(message: EngineMessage): void
  onTokens(job: number, tokens: readonly SampledToken[]): void
  onVocabulary(vocabulary: VocabularyData): void
  /** The tokenizer's metadata, as JSON that nobody has looked at. */
  onTokenizer(json: SharedArrayBuffer): void
  /** A line that the process wrote on its stdout or stderr. */
  onOutput(line: string): void
  /** The process is gone; called exactly once, after everything else. */
  onClose(reason: PlumblineError): void
}

/** One engine process and the pipe to it. */
export class EngineConnection {
  readonly #child: ChildProcess
  readonly #pipe: Socket
  readonly #listener: EngineConnectionListener
  /** Why this side ended the process, when it did. */
  #killedFor: PlumblineError | undefined
  #closed = false

  constructor(listener: EngineConnectionListener, child: ChildProcess) {
    this.#listener = listener
    this.#child = child
    this.#pipe = this.#child.stdio[PIPE_FD] as Socket
    const reader = new PipeFrameReader((kind, payload) => this.#onFrame(kind, payload))
    this.#pipe.on('data', (chunk: Buffer) => {
      if (this.#killedFor) return
      try {
        reader.push(chunk)
      } catch (error) {
        if (!(error instanceof PipeGarbageError)) throw error
        this.kill(new PlumblineError('ENGINE_CRASHED', `the engine process was replaced: ${error.message}`))
      }
    })
    this.#pipe.on('error', () => undefined) // what matters about a broken pipe is that the process has ended: 'close'
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.setEncoding('utf8').on('data', (text: string) => {
        for (const line of text.split('\n')) if (line.trim() !== '') listener.onOutput(line.slice(0, 2_000))
      })
    }
    this.#child.on('error', (error) => this.#close(`could not be started: ${error.message}`))
    // One that was spawned a while ago may be gone already.
    const { exitCode, signalCode, pid } = child
    if (pid === undefined || exitCode !== null || signalCode !== null) {
      queueMicrotask(() =>
        this.#close(pid === undefined ? 'could not be started' : 'ended before it was told anything'),
      )
    }
    // 'close' comes after 'exit', when all that the process wrote has been read.
    this.#child.on('close', (code, signal) => this.#close(signal ? `was ended by ${signal}` : `exited with ${code}`))
  }

  get pid(): number | null {
    return this.#child.pid ?? null
  }

  send(message: FrontMessage): void {
    if (this.#pipe.writable) this.#pipe.write(encodeFrame(FRAME_KIND.json, Buffer.from(JSON.stringify(message))))
  }

  /** Ends the process at once; `onClose` follows with this reason. */
  kill(reason: PlumblineError): void {
    this.#killedFor ??= reason
    this.#child.kill('SIGKILL')
  }

  #onFrame(kind: FrameKind, payload: Buffer): void {
    if (kind === FRAME_KIND.tokens) {
      // The line where tokens leave the pipe.
      const { job, tokens } = decodeTokenBatch(payload)
      this.#listener.onTokens(job, tokens)
      return
    }
    if (kind === FRAME_KIND.vocabulary) {
      this.#listener.onVocabulary(decodeVocabulary(payload))
      return
    }
    if (kind === FRAME_KIND.tokenizer) {
      // For another thread: it may be megabytes, and to read them takes a while.
      const json = new SharedArrayBuffer(payload.length)
      new Uint8Array(json).set(payload)
      this.#listener.onTokenizer(json)
      return
    }
    const parsed = engineMessageSchema.safeParse(parseJson(payload))
    if (!parsed.success) throw new PipeGarbageError('a message that the engine process would not send')
    this.#listener.onMessage(parsed.data)
  }

  #close(what: string): void {
    if (this.#closed) return
    this.#closed = true
    const reason = this.#killedFor ?? new PlumblineError('ENGINE_CRASHED', `the engine process ${what}`)
    this.#listener.onClose(reason)
  }
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'))
  } catch {
    return undefined
  }
}
