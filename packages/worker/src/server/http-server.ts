import type { Socket } from 'node:net'
import { LIMITS } from '@plumbline/protocol'
import { PlumblineError } from '@plumbline/protocol/errors'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Logger } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { logWhenOver } from './access-log.ts'
import { bearerCheck } from './authorization.ts'
import { Connections } from './connections.ts'
import { MethodNotAllowedError, replyWithError } from './error-reply.ts'
import { parseJsonBody } from './json-body.ts'
import { malformedRequestError } from './malformed-request.ts'
import { correlationId } from './request-context.ts'

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
  /** A client has this long to send a whole request; for tests. */
  readonly requestTimeoutMs?: number
}

/** The HTTP server with everything that is the same for all routes. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { log, metrics, apiToken, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options
  const connections = new Connections(log)
  const begin = (request: FastifyRequest, reply: FastifyReply): void => {
    request.requestLog = log.child({ correlation_id: request.id })
    reply.header('x-correlation-id', request.id)
    logWhenOver(request, reply, metrics)
    connections.begin(request, reply)
  }
  const server = fastify({
    logger: false,
    bodyLimit: LIMITS.bodyBytes,
    requestTimeout: requestTimeoutMs,
    http: {
      highWaterMark: SOCKET_BUFFER_BYTES,
      // A missing Host is refused below, as everything is that is refused.
      requireHostHeader: false,
      // The limit of the headers alone follows from this one, and Node looks for who is over it every half minute unless told to.
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 30),
    },
    // No route has a schema: the compilers for them would be loaded, and take a tenth of a start, all the same.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    requestIdHeader: false,
    genReqId: correlationId,
    forceCloseConnections: true,
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
      else connections.breakOff(socket, malformedRequestError(error))
    },
    frameworkErrors: (error, request, reply) => {
      begin(request, reply)
      replyWithError(error, request, reply)
    },
  })
  // A client that has ended its side of the connection may still read the answer (event-stream.ts says what becomes of a stream).
  Object.assign(server.server, { httpAllowHalfOpen: true })
  server.server.on('connect', (_request, socket) => {
    socket.on('error', () => undefined) // 'close' follows
    connections.breakOff(socket as Socket, new MethodNotAllowedError(['GET', 'POST']))
  })
  // No expectation but 100-continue exists, and one that a server does not know it may pass over (RFC 9110, 10.1.1).
  server.server.on('checkExpectation', (request, response) => server.server.emit('request', request, response))
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
    if (request.is404) refuseRoute(request) // before any body is read
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
  server.setNotFoundHandler(refuseRoute)
  function refuseRoute({ url }: FastifyRequest): never {
    const path = url.split('?', 1)[0]!
    const allowed = ['GET', 'POST'].filter((method) => server.hasRoute({ method, url: path }))
    if (allowed.length === 0) throw new PlumblineError('NOT_FOUND', 'there is no such route')
    throw new MethodNotAllowedError(allowed)
  }
  return server
}

function noSchemas(): never {
  throw new PlumblineError('INTERNAL', 'a route has a schema, for which no compiler is loaded')
}
