import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { recordStream } from './record-stream.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function recordFrom(listener: RequestListener, timeoutMs = 30_000, signal = new AbortController().signal) {
  server = createServer(listener)
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const body = { job_id: 'job', prompt: 'hello' }
  const endpoint = { baseUrl, token: 'sesame' }
  return recordStream({ endpoint, purpose: 'haiku', attempt: 1, body, timeoutMs, signal })
}

const stream = { 'content-type': 'text/event-stream' }

test('writes down frames, comments and when they came', async () => {
  const record = await recordFrom(async (_, response) => {
    response.writeHead(200, stream)
    response.write('event: a\nid: 0\ndata: 1\n\n')
    await sleep(200)
    response.end(': ping\n\nevent: b\nid: 1\ndata: 2\n\n')
  })
  expect(record.frames.map(({ ms, ...frame }) => frame)).toEqual([
    { kind: 'event', id: '0', event: 'a', data: '1' },
    { kind: 'comment', text: 'ping', count: 1 },
    { kind: 'event', id: '1', event: 'b', data: '2' },
  ])
  expect(record.frames[1]!.ms - record.frames[0]!.ms).toBeGreaterThan(100)
  // One read, one time.
  expect(record.frames[2]!.ms).toBe(record.frames[1]!.ms)
  expect(record).toMatchObject({
    status: 200,
    contentType: 'text/event-stream',
    endsOnFrame: true,
    close: { how: 'complete' },
  })
})

test('puts characters together that were cut between two writes', async () => {
  const record = await recordFrom(async (_, response) => {
    const bytes = Buffer.from('data: 静\n\n')
    response.writeHead(200, stream)
    response.write(bytes.subarray(0, 7))
    await sleep(50)
    response.end(bytes.subarray(7))
  })
  expect(record.frames).toMatchObject([{ kind: 'event', data: '静' }])
})

test('bytes that are not UTF-8 are recorded as malformed', async () => {
  const record = await recordFrom((_, response) => {
    response.writeHead(200, stream).end(Buffer.from([0x64, 0xff, 0xfe, 0x0a]))
  })
  expect(record.frames).toMatchObject([{ kind: 'malformed' }])
})

test('a frame that is cut off is no frame, and is noticed', async () => {
  const record = await recordFrom((_, response) => {
    response.writeHead(200, stream).end('data: 1\n\ndata: 2\n')
  })
  expect(record.frames).toHaveLength(1)
  expect(record.endsOnFrame).toBe(false)
})

test('keeps what came before the connection broke', async () => {
  const record = await recordFrom(async (_, response) => {
    response.writeHead(200, stream).write('data: 1\n\n')
    await sleep(50)
    response.destroy()
  })
  expect(record.frames).toHaveLength(1)
  expect(record.close.how).toBe('broken')
})

test('keeps what came before the deadline', async () => {
  const record = await recordFrom((_, response) => {
    response.writeHead(200, stream).write('data: 1\n\n')
  }, 500)
  expect(record.frames).toHaveLength(1)
  expect(record.close).toEqual({ how: 'timed-out', afterMs: 500 })
})

test('an interrupt ends it and keeps what came', async () => {
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 200)
  const record = await recordFrom(
    (_, response) => response.writeHead(200, stream).write('data: 1\n\n'),
    60_000,
    stop.signal,
  )
  expect(record.frames).toHaveLength(1)
  expect(record.close.how).toBe('broken')
})

/** The same again and again, until the other side hangs up. */
function flood(piece: string): RequestListener {
  const many = piece.repeat(32_768)
  return (_, response) => {
    response.writeHead(200, stream)
    const more = () => {
      while (!response.destroyed && response.write(many));
    }
    response.on('drain', more)
    more()
  }
}

test('a flood of tiny frames ends at some 10,000 more than were asked for, long before its bytes count', {
  timeout: 60_000,
}, async () => {
  const record = await recordFrom(flood('data:1\n\n'))
  expect(record.frames).toHaveLength(12_048)
  expect(record.close).toEqual({ how: 'flooded', limit: '12048 frames' })
})

test('a flood of comments is one frame with a count, and ends by its bytes', { timeout: 60_000 }, async () => {
  const record = await recordFrom(flood(':\n'))
  expect(record.frames).toMatchObject([{ kind: 'comment', count: expect.any(Number) }])
  expect(record.close).toEqual({ how: 'flooded', limit: '67108864 bytes' })
})

test('a refusal keeps its body', async () => {
  const record = await recordFrom((_, response) => response.writeHead(503).end('{"code":"LOADING"}'))
  expect(record).toMatchObject({ status: 503, refusal: '{"code":"LOADING"}', frames: [] })
})

test('a refusal that never ends is read no further than it is kept', { timeout: 30_000 }, async () => {
  let sent = 0
  const record = await recordFrom((_, response) => {
    response.writeHead(500)
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536
    }
    response.on('drain', more)
    more()
  })
  expect(record.refusal).toHaveLength(2_000)
  expect(record.close).toEqual({ how: 'complete' })
  expect(sent).toBeLessThan(64 * 1024 * 1024)
})

test('a stream that ends in the middle of a character is malformed', async () => {
  const record = await recordFrom((_, response) => {
    response.writeHead(200, stream)
    response.end(Buffer.concat([Buffer.from('data: a\n\n'), Buffer.from('静').subarray(0, 2)]))
  })
  expect(record.frames.at(-1)).toMatchObject({ kind: 'malformed', text: 'bytes that are not UTF-8' })
})

test('sends the token', async () => {
  let seen: string | undefined
  await recordFrom((request, response) => {
    seen = request.headers.authorization
    response.end()
  })
  expect(seen).toBe('Bearer sesame')
})

test('nobody there is a record too', async () => {
  const endpoint = { baseUrl: 'http://127.0.0.1:9', token: undefined }
  const body = { job_id: 'job', prompt: 'hello' }
  const signal = new AbortController().signal
  const record = await recordStream({ endpoint, purpose: 'haiku', attempt: 1, body, timeoutMs: 30_000, signal })
  expect(record).toMatchObject({ status: null, frames: [], close: { how: 'broken' } })
  expect(record.close).toHaveProperty('message', expect.stringContaining('ECONNREFUSED'))
})
