import { type StreamEvent, streamEventSchema } from '@plumbline/protocol'
import { createParser } from 'eventsource-parser'
import { type Dispatcher, request } from 'undici'
import type { FakeScript } from '../fixtures/fake-script.ts'

/** One POST /execute, read event by event. */
export class Execution {
  readonly events: StreamEvent[] = []
  readonly ids: string[] = []
  readonly comments: string[] = []
  readonly #abort: AbortController
  readonly #waiting: (() => void)[] = []
  /** Resolves when the connection has ended, in whatever way. */
  readonly ended: Promise<void>
  readonly correlationId: string

  private constructor(response: Dispatcher.ResponseData, abort: AbortController) {
    this.#abort = abort
    this.correlationId = String(response.headers['x-correlation-id'])
    const parser = createParser({
      onEvent: ({ event, id, data }) => {
        const parsed = streamEventSchema.parse(JSON.parse(data))
        if (event !== parsed.type) throw new Error(`event: ${event} with data of type ${parsed.type}`)
        this.events.push(parsed)
        this.ids.push(id ?? '')
      },
      onComment: (comment) => this.comments.push(comment),
    })
    this.ended = this.#read(response, parser)
  }

  /** Throws unless the request is admitted. */
  static async start(url: string, body: object, headers: Record<string, string> = {}): Promise<Execution> {
    const abort = new AbortController()
    const response = await request(`${url}/execute`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal: abort.signal,
      bodyTimeout: 0,
    })
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${await response.body.text()}`)
    return new Execution(response, abort)
  }

  static async toEnd(url: string, body: object, headers: Record<string, string> = {}): Promise<Execution> {
    const execution = await Execution.start(url, body, headers)
    await execution.ended
    return execution
  }

  async #read(response: Dispatcher.ResponseData, parser: { feed(text: string): void }): Promise<void> {
    const text = new TextDecoder()
    try {
      for await (const chunk of response.body) {
        parser.feed(text.decode(chunk as Buffer, { stream: true }))
        for (const resume of this.#waiting.splice(0)) resume()
      }
    } catch (error) {
      if (!this.#abort.signal.aborted && (error as { code?: string }).code !== 'UND_ERR_SOCKET') throw error
    } finally {
      for (const resume of this.#waiting.splice(0)) resume()
    }
  }

  /** Resolves once so many token events have come. */
  async untilTokens(count: number): Promise<void> {
    while (this.tokens.length < count) {
      const more = new Promise<void>((resolve) => this.#waiting.push(resolve))
      await Promise.race([more, this.ended])
      if (this.terminals.length > 0 && this.tokens.length < count) throw new Error(JSON.stringify(this.terminals))
    }
  }

  /** The client goes away. */
  disconnect(): void {
    this.#abort.abort()
  }

  get tokens() {
    return this.events.filter((event) => event.type === 'token')
  }

  get terminals() {
    return this.events.filter((event) => event.type === 'end' || event.type === 'error')
  }

  /** What the answer says, all `t` joined. */
  get text(): string {
    return this.events.map((event) => ('t' in event ? event.t : '')).join('')
  }
}

let jobs = 0

/** A request whose prompt tells the fake engine what to do. */
export function fakeRequest(script: FakeScript, fields: object = {}): { job_id: string } & Record<string, unknown> {
  return { job_id: `job-${++jobs}`, prompt: JSON.stringify(script), ...fields }
}
