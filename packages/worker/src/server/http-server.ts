import type { Socket } from 'node:net'
import { LIMITS, PlumblineError } from '@plumbline/protocol'
import { type FastifyInstance, fastify } from 'fastify'
import type { Logger } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { logWhenOver } from './access-log.ts'
import { bearerCheck } from './authorization.ts'
import { replyWithError } from './error-reply.ts'
import { parseJsonBody } from './json-body.ts'
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
  const server = fastify({
    logger: false,
    bodyLimit: LIMITS.bodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { highWaterMark: SOCKET_BUFFER_BYTES },
    requestIdHeader: false,
    genReqId: correlationId,
    forceCloseConnections: true,
    clientErrorHandler: refuseMalformed,
    frameworkErrors: (error, request, reply) => void replyWithError(error, request, reply),
  })
  const checkToken = apiToken === undefined ? undefined : bearerCheck(apiToken)

  server.decorateRequest('job', undefined)
  server.decorateRequest('errorCode', undefined)
  server.decorateRequest('requestLog')
  server.addHook('onRequest', async (request, reply) => {
    request.requestLog = log.child({ correlation_id: request.id })
    reply.header('x-correlation-id', request.id)
    logWhenOver(request, reply, metrics)
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

/** What is no HTTP, or has headers too large, never becomes a request. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const body = JSON.stringify(new PlumblineError('INVALID_REQUEST', 'this is not a valid HTTP request').toBody())
  const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}`
  socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`)
}
