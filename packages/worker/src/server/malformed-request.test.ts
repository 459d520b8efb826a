import { expect, test } from 'vitest'
import { malformedRequestError } from './malformed-request.ts'

// What needs half a minute to happen, and what depends on how bytes come in packets; requests.test.ts has the others.
test.each([
  ['ERR_HTTP_REQUEST_TIMEOUT', undefined, 'REQUEST_TIMEOUT'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', undefined, 'PAYLOAD_TOO_LARGE'],
  ['HPE_HEADER_OVERFLOW', 'GET /xxx', 'URI_TOO_LONG'],
  ['HPE_HEADER_OVERFLOW', 'GET / HTTP/1.1\r\nCookie: xxx', 'HEADERS_TOO_LARGE'],
  ['HPE_HEADER_OVERFLOW', 'xxx', 'HEADERS_TOO_LARGE'],
  ['HPE_HEADER_OVERFLOW', undefined, 'HEADERS_TOO_LARGE'],
  ['HPE_INVALID_METHOD', 'HELO', 'INVALID_REQUEST'],
])('%s with %j is %s', (code, packet, expected) => {
  const rawPacket = packet === undefined ? undefined : Buffer.from(packet)
  expect(malformedRequestError({ code, rawPacket })).toMatchObject({ code: expected })
})
