import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { ERRORS, PlumblineError } from '@plumbline/protocol/errors'
import type { Logger } from '../telemetry/log.ts'
import { MethodNotAllowedError } from './error-reply.ts'

// biome-ignore lint/plugin: an import by name asks for all that is exported, here a WebSocket client, which takes 20 ms to load
const { maxHeaderSize, STATUS_CODES } = process.getBuiltinModule('node:http')

/** What Node says about bytes that never became a request, or never became the whole of one. */
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
      return rawPacket instanceof Buffer && holdsLongUrl(rawPacket.toString('latin1'))
        ? new PlumblineError('URI_TOO_LONG', 'the URL is too long')
        : new PlumblineError('HEADERS_TOO_LARGE', 'the headers are too large')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new PlumblineError('PAYLOAD_TOO_LARGE', 'the extensions of a chunk are too large')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new PlumblineError('REQUEST_TIMEOUT', 'the request did not come as a whole in time')
    case 'HPE_INVALID_EOF_STATE':
      return new PlumblineError('INVALID_REQUEST', 'the connection was ended before the request was whole')
    default:
      return new PlumblineError('INVALID_REQUEST', 'this is not a valid HTTP request')
  }
}

/** Whether these bytes are a request line and no more, or a request line that leaves no room for headers. */
function holdsLongUrl(packet: string): boolean {
  const line = /^[A-Z]+ [^\n]*/.exec(packet)?.[0] ?? ''
  return line !== '' && (line.length === packet.length || line.length > maxHeaderSize)
}

/** Answers them, and logs that, as requests are answered and logged. There is no response to do it with, only the socket. */
export function refuseMalformedRequest(error: PlumblineError, socket: Socket, log: Logger): void {
  const id = randomUUID()
  const { httpStatus } = ERRORS[error.code]
  const body = JSON.stringify(error.toBody())
  const head = [
    `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus]}`,
    `X-Correlation-ID: ${id}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...(error instanceof MethodNotAllowedError ? [`Allow: ${error.allow}`] : []),
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
