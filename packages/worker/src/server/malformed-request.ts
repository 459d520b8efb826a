import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { ERRORS, PlumblineError } from '@plumbline/protocol'
import type { Logger } from '../telemetry/log.ts'

/** What Node says about bytes that never became a request. */
interface ParseError {
  readonly code?: string | undefined
  /** The bytes that came last, of which one is the error. */
  readonly rawPacket?: unknown
}

/** What bytes that never became a request are answered with. */
export function malformedRequestError({ code, rawPacket }: ParseError): PlumblineError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      // The parser counts the request line as a header.
      return rawPacket instanceof Buffer && /^[A-Z]+ [^\n]*$/.test(rawPacket.toString('latin1'))
        ? new PlumblineError('URI_TOO_LONG', 'the URL is too long')
        : new PlumblineError('HEADERS_TOO_LARGE', 'the headers are too large')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new PlumblineError('PAYLOAD_TOO_LARGE', 'the extensions of a chunk are too large')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new PlumblineError('REQUEST_TIMEOUT', 'the request did not come as a whole in time')
    default:
      return new PlumblineError('INVALID_REQUEST', 'this is not a valid HTTP request')
  }
}

/** Answers them, and logs that, as requests are answered and logged. There is no response to do it with, only the socket. */
export function refuseMalformedRequest(thrown: ParseError, socket: Socket, log: Logger): void {
  const error = malformedRequestError(thrown)
  const id = randomUUID()
  const { httpStatus } = ERRORS[error.code]
  const body = JSON.stringify(error.toBody())
  const head = [
    `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus]}`,
    `X-Correlation-ID: ${id}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.once('close', () =>
    log.info(
      {
        correlation_id: id,
        method: '(unknown)',
        path: '(unknown)',
        status: httpStatus,
        outcome: socket.writableFinished ? 'answered' : 'client_disconnected',
        bytes: socket.bytesWritten,
        error_code: error.code,
      },
      'request',
    ),
  )
  // The rest of what it sends comes and goes: to close on a client that is still sending would reset the connection before it reads.
  socket.resume().end(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.setTimeout(LAST_BYTES_MS, () => socket.destroy())
}

/** What a client gets to read the answer and to close its end. */
const LAST_BYTES_MS = 2_000
