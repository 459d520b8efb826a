import type { ServerResponse } from 'node:http'
import { isTerminal, type StreamEvent } from '@plumbline/protocol'
import { encodeSseFrame, SSE_PING } from '../streaming/sse-frame.ts'

export interface EventStreamOptions {
  readonly pingIntervalMs: number
  /** A client that takes no byte for so long has stalled. */
  readonly stallMs: number
}

export interface EventStreamListener {
  /** The client takes nothing any more: it gets one more event, `lastWord`, if it wants it, and the connection ends. */
  onStalled(): void
  /** Over, in one of two ways: the last byte has left, or the client was gone before. Called exactly once. */
  onClosed(delivered: boolean): void
}

/** A batch of frames is written as one, up to about this many characters. */
const WRITE_CHARACTERS = 16_384
/** What a stalled client gets to take its last event. */
const STALLED_GRACE_MS = 1_000

/**
 * The answer to one POST /execute as server-sent events. Events wait as objects, and frames are made only while the socket takes
 * them, so that what is buffered for a client is bounded by the socket's high-water mark, however slowly it reads.
 */
export class EventStream {
  readonly #response: ServerResponse
  readonly #options: EventStreamOptions
  readonly #listener: EventStreamListener
  readonly #ping: NodeJS.Timeout
  #stall: NodeJS.Timeout | undefined
  #waiting: StreamEvent[] = []
  #nextId = 0
  #ended = false
  #closed = false
  /** The socket has as much as it wants. */
  #full = false

  /** Sends status and headers at once. */
  constructor(
    response: ServerResponse,
    headers: Record<string, string>,
    options: EventStreamOptions,
    listener: EventStreamListener,
  ) {
    this.#response = response
    this.#options = options
    this.#listener = listener
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    response.flushHeaders()
    response.on('drain', () => this.#onDrain())
    response.on('finish', () => this.#onClose(true))
    response.on('close', () => this.#onClose(response.writableFinished))
    response.on('error', () => undefined) // 'close' follows
    this.#ping = setInterval(() => {
      if (!this.#full && this.#waiting.length === 0 && !this.#ended) this.#write(SSE_PING)
    }, options.pingIntervalMs)
    if (response.destroyed || response.socket?.destroyed) queueMicrotask(() => this.#onClose(false))
  }

  /** Whether the terminal event has been given to `send`: nothing may follow it. */
  get ended(): boolean {
    return this.#ended
  }

  get closed(): boolean {
    return this.#closed
  }

  send(...events: StreamEvent[]): void {
    if (this.#ended || this.#closed) return
    for (const event of events) {
      this.#waiting.push(event)
      if (isTerminal(event)) {
        this.#ended = true
        break
      }
    }
    this.#pump()
  }

  /** In place of what still waits, one last event to a client that does not read. */
  lastWord(event: StreamEvent): void {
    if (this.#closed) return
    this.#ended = true
    this.#waiting = []
    this.#response.end(this.#frame(event))
    setTimeout(() => this.#response.destroy(), STALLED_GRACE_MS).unref()
  }

  destroy(): void {
    this.#response.destroy()
  }

  #pump(): void {
    while (!this.#full && this.#waiting.length > 0) {
      let frames = ''
      let count = 0
      while (count < this.#waiting.length && frames.length < WRITE_CHARACTERS) {
        frames += this.#frame(this.#waiting[count++]!)
      }
      this.#waiting.splice(0, count)
      this.#write(frames)
    }
    if (this.#ended && this.#waiting.length === 0 && !this.#response.writableEnded) {
      this.#response.end()
      this.#watchForStall() // the tail has to leave, too
    }
  }

  #write(frames: string): void {
    // The line where tokens reach the socket.
    this.#full = !this.#response.write(frames)
    if (this.#full) this.#watchForStall()
  }

  #frame(event: StreamEvent): string {
    return encodeSseFrame(this.#nextId++, event)
  }

  #watchForStall(): void {
    clearTimeout(this.#stall)
    this.#stall = setTimeout(() => this.#onStall(), this.#options.stallMs)
  }

  #onStall(): void {
    if (this.#closed) return
    this.#listener.onStalled()
    // A terminal event that is already on its way, and does not leave: there is nothing more to say.
    if (this.#response.writableEnded) setTimeout(() => this.#response.destroy(), STALLED_GRACE_MS).unref()
  }

  #onDrain(): void {
    clearTimeout(this.#stall)
    this.#full = false
    this.#pump()
  }

  #onClose(delivered: boolean): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#ping)
    clearTimeout(this.#stall)
    this.#waiting = []
    this.#listener.onClosed(delivered)
  }
}
