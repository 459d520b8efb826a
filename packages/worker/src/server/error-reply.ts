import { LIMITS } from '@plumbline/protocol'
import { ERRORS, PlumblineError } from '@plumbline/protocol/errors'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** An error whose answer says when to come back. */
export class RetryLaterError extends PlumblineError {
  /** Whole seconds, at least 1. */
  readonly retryAfterSeconds: number

  constructor(code: 'OVERLOADED' | 'LOADING' | 'SHUTTING_DOWN', message: string, retryAfterMs: number) {
    super(code, message)
    this.retryAfterSeconds = Math.max(1, Math.ceil(retryAfterMs / 1_000))
  }
}

/** An error whose answer says what would have been right. */
export class MethodNotAllowedError extends PlumblineError {
  readonly allow: string

  constructor(allowed: readonly string[]) {
    const allow = allowed.join(', ')
    super('METHOD_NOT_ALLOWED', `this route takes ${allow}`)
    this.allow = allow
  }
}

/** The one place where an error becomes an HTTP answer. */
export function replyWithError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = asPlumblineError(thrown)
  request.errorCode = error.code
  const status = ERRORS[error.code].httpStatus
  if (error.code === 'INTERNAL') request.requestLog.error({ err: thrown }, 'a request failed in a way nobody foresaw')
  if (error instanceof RetryLaterError) reply.header('retry-after', String(error.retryAfterSeconds))
  if (error instanceof MethodNotAllowedError) reply.header('allow', error.allow)
  if (error.code === 'UNAUTHORIZED') reply.header('www-authenticate', 'Bearer')
  if (error.code === 'PAYLOAD_TOO_LARGE') discardBody(request, reply)
  const body = error.code === 'INTERNAL' ? { ...error.toBody(), message: 'internal error' } : error.toBody()
  return reply.code(status).type('application/json; charset=utf-8').send(body)
}

/** fastify's own errors, by their codes; its messages are not passed on, for they may quote the body. */
function asPlumblineError(thrown: unknown): PlumblineError {
  if (thrown instanceof PlumblineError) return thrown
  const { code, statusCode } = thrown as { code?: string; statusCode?: number }
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new PlumblineError('PAYLOAD_TOO_LARGE', `the body must hold at most ${LIMITS.bodyBytes} bytes`)
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new PlumblineError('UNSUPPORTED_MEDIA_TYPE', 'the content type must be application/json')
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new PlumblineError('INVALID_REQUEST', 'the body is not as long as its Content-Length')
    case 'FST_ERR_BAD_URL':
      return new PlumblineError('INVALID_REQUEST', 'the URL is malformed')
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new PlumblineError('INVALID_REQUEST', 'the request cannot be read')
  }
  return PlumblineError.from(thrown)
}

/**
 * Lets the rest of a body come and go. To close the connection on a client that is still sending would reset it, and the client
 * would never read why; one that sends without end meets the request time-out.
 */
function discardBody(request: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection')
  request.raw.resume()
}
