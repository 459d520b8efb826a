import { readdirSync, readlinkSync } from 'node:fs'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../test/helpers/spawn-worker.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { createHttpServer } from './http-server.ts'

const SHORT_TIMEOUT_MS = 500
let server: FastifyInstance
let lines: Record<string, unknown>[]
/** Lets the answers to GET /slow go. */
let release: () => void

async function start(requestTimeoutMs?: number): Promise<void> {
  lines = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const limit = requestTimeoutMs === undefined ? {} : { requestTimeoutMs }
  server = createHttpServer({ log, metrics: new Metrics(), apiToken: undefined, ...limit })
  const released = new Promise<void>((resolve) => (release = resolve))
  server.post('/execute', () => ({ executed: true }))
  server.post('/cancel', () => ({ cancelled: true }))
  server.get('/health', () => ({ healthy: true }))
  server.get('/slow', async () => {
    await released
    return { slow: true }
  })
  await server.listen({ port: 0, host: '127.0.0.1' })
}
afterEach(() => server.close())

const port = () => (server.server.address() as AddressInfo).port
const accessLines = () => lines.filter(({ msg }) => msg === 'request')
const openSockets = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')
    } catch {
      return false // closed meanwhile, as the one is that lists them
    }
  }).length

/** A connection that is sent all this at once, and what comes of it until the server ends it. */
function send(text: string): { socket: Socket; ended: Promise<string>; answer: () => string } {
  const socket = connect({ port: port(), host: '127.0.0.1', allowHalfOpen: true })
  let answer = ''
  socket.on('error', () => undefined)
  socket.setEncoding('utf8').on('data', (text) => (answer += text))
  const ended = new Promise<string>((resolve) => socket.on('end', () => resolve(answer)))
  void ended.then(() => socket.destroy())
  socket.write(text)
  return { socket, ended, answer: () => answer }
}

const head = (path: string, length: string) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nX-Correlation-ID: mine\r\nContent-Type: application/json\r\n${length}\r\n\r\n`
const CHUNKED = 'Transfer-Encoding: chunked'
const HALF_A_BODY = `{"job_id":"a","prompt":"${'x'.repeat(24)}`

type Case = [name: string, sent: string, client: 'stays' | 'ends its side', status: number, code: string]

/** Answered once and as itself, logged, and its connection is closed. */
async function expectRefusal([, sent, client, status, code]: Case): Promise<void> {
  const before = openSockets()
  const { socket, ended } = send(sent)
  if (client === 'ends its side') socket.end()
  const answer = await ended
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`])
  expect(answer).toMatch(/^connection: close\r$/im)
  expect(answer).toMatch(/^x-correlation-id: mine\r$/im)
  expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toMatchObject({ code })
  await until(() => openSockets() === before && accessLines().length === 1)
  const path = sent.split(' ')[1]
  expect(accessLines()).toMatchObject([
    { correlation_id: 'mine', method: 'POST', path, status, error_code: code, outcome: 'answered' },
  ])
}

const half = head('/execute', 'Content-Length: 100') + HALF_A_BODY

describe('a request that does not come to its end in time', () => {
  beforeEach(() => start(SHORT_TIMEOUT_MS))

  test.each<Case>([
    ['half a body', half, 'stays', 408, 'REQUEST_TIMEOUT'],
    ['half a body in chunks', `${head('/execute', CHUNKED)}5\r\n{"job`, 'stays', 408, 'REQUEST_TIMEOUT'],
  ])('%s', async (...refused) => expectRefusal(refused))

  test('half a request line', async () => {
    expect(await send('POST /exec').ended).toMatch(/^HTTP\/1\.1 408 /)
    await until(() => accessLines().length === 1)
    expect(accessLines()).toMatchObject([{ path: '(unknown)', status: 408, error_code: 'REQUEST_TIMEOUT' }])
  })

  test('is answered when the time is up, not up to twice as late', async () => {
    const started = performance.now()
    await send(half).ended
    const limits = (performance.now() - started) / SHORT_TIMEOUT_MS
    expect(limits).toBeGreaterThan(0.9)
    expect(limits).toBeLessThan(10)
    expect(server.server).toMatchObject({ requestTimeout: SHORT_TIMEOUT_MS, headersTimeout: SHORT_TIMEOUT_MS })
  })

  test('but has been answered already: no second answer', async () => {
    const { ended } = send(`${head('/nowhere', CHUNKED)}5\r\n{"job\r\n`)
    expect((await ended).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404'])
    await until(() => accessLines().length === 1)
  })
})

describe('a request whose body breaks off', () => {
  beforeEach(() => start())

  test.each<Case>([
    ['/execute with a chunk that is none', `${head('/execute', CHUNKED)}ZZZ\r\n`, 'stays', 400, 'INVALID_REQUEST'],
    ['/cancel with a chunk that is none', `${head('/cancel', CHUNKED)}ZZZ\r\n`, 'stays', 400, 'INVALID_REQUEST'],
    ['a chunk of 2^68 bytes', `${head('/execute', CHUNKED)}FFFFFFFFFFFFFFFFF\r\n`, 'stays', 400, 'INVALID_REQUEST'],
    ['a later chunk', `${head('/execute', CHUNKED)}5\r\n{"job\r\nZZZ\r\n`, 'stays', 400, 'INVALID_REQUEST'],
    ['half a body, then the end', half, 'ends its side', 400, 'INVALID_REQUEST'],
  ])('%s', async (...refused) => expectRefusal(refused))

  test('behind one that is being answered still: after that answer', async () => {
    const { ended, answer } = send(`GET /slow HTTP/1.1\r\nHost: x\r\n\r\n${head('/execute', CHUNKED)}ZZZ\r\n`)
    await sleep(100)
    expect(answer()).toBe('')
    release()
    expect((await ended).match(/HTTP\/1\.1 \d+|"code":"\w+"|"slow":true/g)).toEqual([
      'HTTP/1.1 200',
      '"slow":true',
      'HTTP/1.1 400',
      '"code":"INVALID_REQUEST"',
    ])
  })

  test('300 clients that die while they upload leave no socket behind, and a line each', async () => {
    const before = openSockets()
    const clients = Array.from({ length: 300 }, (_, n) => {
      return { socket: send(half).socket, reset: n % 2 === 0 }
    })
    await until(() => openSockets() === before + 600)
    for (const { socket, reset } of clients) reset ? socket.resetAndDestroy() : socket.destroy()
    await until(() => accessLines().length === 300)
    await until(() => openSockets() === before)
  })
})

describe('the method and the route are looked at before the body', () => {
  beforeEach(() => start())

  test.each<[string, string, number, string | undefined]>([
    ['OPTIONS', '/execute', 405, 'POST'],
    ['PATCH', '/execute', 405, 'POST'],
    ['DELETE', '/cancel', 405, 'POST'],
    ['DELETE', '/health', 405, 'GET'],
    ['POST', '/health', 405, 'GET'],
    ['POST', '/nope', 404, undefined],
  ])('%s %s with a body that is no JSON is a %i', async (method, path, status, allow) => {
    for (const body of ['', '{"a":']) {
      const headers = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`
      const answer = await send(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`).ended
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      expect(/^allow: (.*)\r$/im.exec(answer)?.[1]).toBe(allow)
      expect(answer).toContain(status === 404 ? '"code":"NOT_FOUND"' : '"code":"METHOD_NOT_ALLOWED"')
    }
  })

  test('CONNECT is a 405', async () => {
    const answer = await send('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n').ended
    expect(answer).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n/)
    expect(answer).toMatch(/^allow: GET, POST\r$/im)
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
    await until(() => accessLines().length === 1)
  })

  test('an expectation that nobody knows is passed over', async () => {
    const close = 'Host: x\r\nConnection: close'
    const answer = await send(`GET /health HTTP/1.1\r\n${close}\r\nExpect: 200-ok\r\n\r\n`).ended
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    const refused = await send(`GET /nowhere HTTP/1.1\r\n${close}\r\nExpect: 200-ok\r\n\r\n`).ended
    expect(refused).toContain('"code":"NOT_FOUND"')
  })

  test('a URL of 20 KB is a 414, whatever comes in one packet with it', async () => {
    const answer = await send(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n`).ended
    expect(answer).toMatch(/^HTTP\/1\.1 414 /)
    expect(answer).toContain('"code":"URI_TOO_LONG"')
  })
})
