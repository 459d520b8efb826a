import type { Socket } from 'node:net'
import type { PlumblineError } from '@plumbline/protocol/errors'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../telemetry/log.ts'
import { replyWithError } from './error-reply.ts'
import { refuseMalformedRequest } from './malformed-request.ts'

interface Connection {
  /** Requests that are being answered. */
  requests: number
  last: { readonly request: FastifyRequest; readonly reply: FastifyReply }
  /** What came after them, or in the body of the last one, that nothing can be read behind. */
  broken: PlumblineError | undefined
}

/**
 * What is being answered on each connection, so that what breaks there (bytes that are no HTTP, a body that ends early or does not
 * come) is answered once, in the place of the request that it belongs to, and never in the middle of another answer.
 */
export class Connections {
  readonly #connections = new WeakMap<Socket, Connection>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  begin(request: FastifyRequest, reply: FastifyReply): void {
    const { socket } = request.raw
    const last = { request, reply }
    const connection = this.#connections.get(socket) ?? { requests: 0, last, broken: undefined }
    this.#connections.set(socket, connection)
    connection.last = last
    connection.requests++
    reply.raw.once('close', () => {
      connection.requests--
      if (connection.broken) finish(connection, connection.broken, socket)
    })
  }

  breakOff(socket: Socket, error: PlumblineError): void {
    const connection = this.#connections.get(socket)
    if (!connection || (connection.requests === 0 && connection.last.request.raw.complete)) {
      refuseMalformedRequest(error, socket, this.#log)
      return
    }
    connection.broken = error
    finish(connection, error, socket)
  }
}

/** Gives the last request of a broken connection its answer, if its body is what broke, once it is its turn; then nothing more comes. */
function finish({ requests, last: { request, reply } }: Connection, error: PlumblineError, socket: Socket): void {
  if (requests === 0) socket.destroySoon()
  else if (requests === 1 && !request.raw.complete && !reply.sent) {
    reply.header('connection', 'close')
    replyWithError(error, request, reply)
  }
}
