import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isTerminal, type StreamEvent } from '@plumbline/protocol'
import { encodeSseFrame, SSE_PING } from '../streaming/sse-frame.ts'

export interface EventStreamOptions {
  readonly pingIntervalMs: number
  /** A client that takes no byte for so long has stalled. */
  readonly stallMs: number
}

export interface EventSource {
  /** The next event, or undefined when there is none yet. Not called again after a terminal one. */
  nextEvent(): StreamEvent | undefined
  /** The client takes nothing any more. */
  onStalled(): void
  /** The client has ended its side of the connection. */
  onHalfClosed(): void
  /** Over, in one of two ways: the last byte has left, or the client was gone before. Called exactly once. */
  onClosed(delivered: boolean): void
}

/** Frames that are ready together are written together, up to about this many characters. */
const WRITE_CHARACTERS = 16_384
/** What such a client gets to take what is on its way, should it read after all. */
const LAST_WORD_GRACE_MS = 5_000

/**
 * The answer to one POST /execute as server-sent events. Events are asked for, and frames made, only while the socket takes them, so
 * that what is buffered for a client is bounded by the socket's high-water mark, however slowly it reads.
 */
export class EventStream {
  readonly #response: ServerResponse
  readonly #options: EventStreamOptions
  readonly #source: EventSource
  readonly #socket: Socket
  readonly #onSocketClose = () => this.#onClose(this.#response.writableFinished)
  readonly #onSocketEnd = () => this.#source.onHalfClosed()
  readonly #ping: NodeJS.Timeout
  #stall: NodeJS.Timeout | undefined
  #nextId = 0
  #closed = false
  /** The socket has as much as it wants. */
  #full = false
  #awake = false

  /** Sends status and headers at once. */
  constructor(
    response: ServerResponse,
    headers: Record<string, string>,
    options: EventStreamOptions,
    source: EventSource,
  ) {
    this.#response = response
    this.#options = options
    this.#source = source
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    response.flushHeaders()
    response.on('drain', () => this.#onDrain())
    response.on('finish', () => this.#onClose(true))
    response.on('close', this.#onSocketClose)
    response.on('error', () => undefined) // 'close' follows
    this.#ping = setInterval(() => {
      if (!this.#full && !response.writableEnded) this.#write(SSE_PING)
    }, options.pingIntervalMs)
    // The request's socket: a response that waits behind another on its connection has none yet, nor hears of its end.
    this.#socket = response.req.socket
    this.#socket.on('close', this.#onSocketClose)
    this.#socket.on('end', this.#onSocketEnd)
    if (this.#socket.destroyed) queueMicrotask(this.#onSocketClose)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** There are events: at the end of this turn of the event loop, all that have come in it become frames together. */
  wake(): void {
    if (this.#awake) return
    this.#awake = true
    queueMicrotask(() => {
      this.#awake = false
      this.#pump()
    })
  }

  #pump(): void {
    while (!this.#full && !this.#closed && !this.#response.writableEnded) {
      let frames = ''
      let terminal = false
      while (!terminal && frames.length < WRITE_CHARACTERS) {
        const event = this.#source.nextEvent()
        if (!event) break
        frames += encodeSseFrame(this.#nextId++, event)
        terminal = isTerminal(event)
      }
      if (frames === '') return
      this.#write(frames)
      if (terminal) {
        this.#response.end()
        this.#watchForStall() // the tail has to leave, too
      }
    }
  }

  /** In place of what there would have been, one last event to a client that does not read, or may not. */
  lastWord(event: StreamEvent): void {
    if (!this.#closed && !this.#response.writableEnded) this.#response.end(encodeSseFrame(this.#nextId++, event))
    setTimeout(() => this.#response.destroy(), LAST_WORD_GRACE_MS).unref()
  }

  destroy(): void {
    this.#response.destroy()
  }

  #write(frames: string): void {
    // The line where tokens reach the socket.
    this.#full = !this.#response.write(frames)
    if (this.#full) this.#watchForStall()
  }

  #watchForStall(): void {
    clearTimeout(this.#stall)
    this.#stall = setTimeout(() => this.#source.onStalled(), this.#options.stallMs)
  }

  #onDrain(): void {
    this.#full = false
    // Once everything is written, 'finish' is what ends the watch.
    if (!this.#response.writableEnded) clearTimeout(this.#stall)
    this.#pump()
  }

  #onClose(delivered: boolean): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.off('close', this.#onSocketClose)
    this.#socket.off('end', this.#onSocketEnd)
    clearInterval(this.#ping)
    clearTimeout(this.#stall)
    this.#source.onClosed(delivered)
  }
}
