import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the store of bytes does with one request for them, in place of sending them. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => void

/**
 * The Hub as a download sees it, on two real servers: one that says what a file is and where it lies, and one, of another
 * origin, that has the bytes and knows ranges.
 */
export class FakeHub {
  readonly bytes: Buffer
  /** The headers of the Hub's answer to HEAD, less the location. */
  published: Record<string, string>
  /** For the next requests for bytes, first to last; then they are sent as they should be. */
  misbehaviours: Misbehaviour[] = []
  /** Statuses for the next questions about the file; then it is answered. */
  refusals: number[] = []
  /** The Range headers of all requests for bytes. */
  readonly ranges: (string | undefined)[] = []
  readonly #hub = createServer((request, response) => this.#answer(request, response))
  readonly #store = createServer((request, response) => this.#send(request, response))

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.published = { 'x-linked-etag': `"${sha256(bytes)}"`, 'x-linked-size': String(bytes.length) }
  }

  async start(): Promise<void> {
    for (const server of [this.#hub, this.#store]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#store]) {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }

  get origin(): string {
    return originOf(this.#hub)
  }

  /** Answered with a redirect to the same host, as the Hub does for repositories that were renamed. */
  get url(): string {
    return `${this.origin}/old/name`
  }

  #answer({ method, url }: IncomingMessage, response: ServerResponse): void {
    const refusal = this.refusals.shift()
    if (method !== 'HEAD' || refusal !== undefined) {
      response.writeHead(refusal ?? 405).end()
    } else if (url === '/old/name') {
      response.writeHead(307, { location: '/new/name' }).end()
    } else {
      response.writeHead(302, { ...this.published, location: `${originOf(this.#store)}/bytes` }).end()
    }
  }

  #send(request: IncomingMessage, response: ServerResponse): void {
    this.ranges.push(request.headers.range)
    const misbehave = this.misbehaviours.shift() ?? sendRange
    misbehave(request, response, this.bytes)
  }
}

export function sendRange({ headers }: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
  if (from >= bytes.length) {
    response.writeHead(416).end()
    return
  }
  const rest = bytes.subarray(from)
  const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
  const partial = headers.range !== undefined
  response.writeHead(partial ? 206 : 200, { 'content-length': rest.length, ...(partial && { 'content-range': range }) })
  response.end(rest)
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
