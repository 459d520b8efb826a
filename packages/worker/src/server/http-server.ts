import type { Socket } from 'node:net'
import { LIMITS, PlumblineError } from '@plumbline/protocol'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Logger } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { logWhenOver } from './access-log.ts'
import { bearerCheck } from './authorization.ts'
import { replyWithError } from './error-reply.ts'
import { parseJsonBody } from './json-body.ts'
import { refuseMalformedRequest } from './malformed-request.ts'
import { correlationId } from './request-context.ts'

/** A client has this long to send a whole request. */
const REQUEST_TIMEOUT_MS = 30_000
/**
 * What a socket takes before it calls itself full. What it has taken lies there up to four times: as strings and as the bytes that are
 * being sent, in the write under way and in the next one. A client that does not read must not cost more than 256 KiB.
 */
const SOCKET_BUFFER_BYTES = 16 * 1024
/** What a monitor may ask without a token. */
const OPEN_PATHS = new Set(['/health', '/livez'])

export interface HttpServerOptions {
  readonly log: Logger
  readonly metrics: Metrics
  readonly apiToken: string | undefined
}

/** The HTTP server with everything that is the same for all routes. */
export function createHttpServer({ log, metrics, apiToken }: HttpServerOptions): FastifyInstance {
  /** How many requests of a connection are being answered, and whether what came after them is no HTTP. */
  const answering = new WeakMap<Socket, { requests: number; broken: boolean }>()
  const begin = (request: FastifyRequest, reply: FastifyReply): void => {
    request.requestLog = log.child({ correlation_id: request.id })
    reply.header('x-correlation-id', request.id)
    logWhenOver(request, reply, metrics)
    const { socket } = request.raw
    const state = answering.get(socket) ?? { requests: 0, broken: false }
    answering.set(socket, state)
    state.requests++
    reply.raw.once('close', () => {
      state.requests--
      if (state.requests === 0 && state.broken) socket.destroySoon()
    })
  }
  const server = fastify({
    logger: false,
    bodyLimit: LIMITS.bodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // A missing Host is refused below, as everything is that is refused.
    http: { highWaterMark: SOCKET_BUFFER_BYTES, requireHostHeader: false },
    requestIdHeader: false,
    genReqId: correlationId,
    forceCloseConnections: true,
    clientErrorHandler: (error, socket) => {
      const state = answering.get(socket)
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
      // What follows a request that is being answered must not end up in the middle of the answer, nor cut it off.
      else if (state && state.requests > 0) state.broken = true
      else refuseMalformedRequest(error, socket, log)
    },
    frameworkErrors: (error, request, reply) => {
      begin(request, reply)
      replyWithError(error, request, reply)
    },
  })
  // A client that has ended its side of the connection may still read the answer (event-stream.ts says what becomes of a stream).
  Object.assign(server.server, { httpAllowHalfOpen: true })
  const checkToken = apiToken === undefined ? undefined : bearerCheck(apiToken)

  server.decorateRequest('job', undefined)
  server.decorateRequest('errorCode', undefined)
  server.decorateRequest('requestLog')
  server.addHook('onRequest', async (request, reply) => {
    begin(request, reply)
    const { httpVersion, headers } = request.raw
    if (httpVersion === '1.1' && headers.host === undefined) {
      throw new PlumblineError('INVALID_REQUEST', 'a request of HTTP/1.1 must have a Host header')
    }
    if (!OPEN_PATHS.has(request.routeOptions.url ?? '')) checkToken?.(request.headers.authorization)
  })

  server.addHook('preParsing', async ({ headers }) => {
    const encoding = headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity') {
      throw new PlumblineError('UNSUPPORTED_MEDIA_TYPE', 'the body is encoded (Content-Encoding), send it plain')
    }
  })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJsonBody(body as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })

  server.setErrorHandler(replyWithError)
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]!
    const allowed = ['GET', 'POST'].filter((method) => server.hasRoute({ method, url: path }))
    if (allowed.length === 0) throw new PlumblineError('NOT_FOUND', 'there is no such route')
    reply.header('allow', allowed.join(', '))
    throw new PlumblineError('METHOD_NOT_ALLOWED', `this route takes ${allowed.join(', ')}`)
  })
  return server
}
