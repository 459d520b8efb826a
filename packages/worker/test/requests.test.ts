import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { ErrorBody } from '@plumbline/protocol'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Execution, fakeRequest } from './helpers/execute.ts'
import { type SpawnedWorker, spawnFakeWorker, until } from './helpers/spawn-worker.ts'

let worker: SpawnedWorker
beforeAll(async () => {
  worker = spawnFakeWorker(['--log-level', 'trace'], {
    load: { contextLength: 64 },
    environment: { NODE_OPTIONS: '--expose-gc' },
  })
  await worker.waitFor('ready')
})
afterAll(() => worker.stop())

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: ErrorBody
  text: string
}

async function post(path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await request(`${worker.url}${path}`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
  })
  const text = await response.body.text()
  return { status: response.statusCode, headers: response.headers, text, body: JSON.parse(text) }
}

const execute = (body: unknown) => post('/execute', JSON.stringify(body))
const fields = (answer: Answer) => answer.body.errors?.map((error) => error.field)

describe('POST /execute refuses before it admits', () => {
  test('everything that is wrong with a request is said at once', async () => {
    const answer = await execute({
      job_id: '',
      max_tokens: 0,
      temperature: 3,
      top_p: -1,
      seed: '18446744073709551616',
      prompt_token_ids: [1, 258],
      messages: [{ role: 'nobody', content: 'x' }],
      colour: 'blue',
      trace: 'ops',
    })
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ code: 'INVALID_REQUEST', retriable: false })
    expect(new Set(fields(answer))).toEqual(
      new Set([
        'job_id',
        'max_tokens',
        'temperature',
        'top_p',
        'seed',
        'messages.0.role',
        'prompt',
        'colour',
        'prompt_token_ids',
        'trace',
      ]),
    )
    for (const error of answer.body.errors!) {
      expect(error).toEqual({ field: expect.any(String), constraint: expect.any(String), message: expect.any(String) })
    }
  })

  test.each<[string, unknown, string]>([
    ['no object', [], 'body'],
    ['null', null, 'body'],
    ['a string', 'hello', 'body'],
    ['no prompt at all', { job_id: 'a' }, 'prompt'],
    ['an empty prompt', { job_id: 'a', prompt: '' }, 'prompt'],
    ['a prompt of 32,769 characters', { job_id: 'a', prompt: 'x'.repeat(32_769) }, 'prompt'],
    ['a job_id of 129 characters', { job_id: 'a'.repeat(129), prompt: 'x' }, 'job_id'],
    ['a NUL character', { job_id: 'a', prompt: 'a\0b' }, 'prompt'],
    ['an id outside the vocabulary', { job_id: 'a', prompt_token_ids: [0, 999] }, 'prompt_token_ids'],
    ['a negative id', { job_id: 'a', prompt_token_ids: [-1] }, 'prompt_token_ids'],
    ['five stop strings', { job_id: 'a', prompt: 'x', stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop'],
    ['an unsafe integer as seed', { job_id: 'a', prompt: 'x', seed: 2 ** 53 }, 'seed'],
    ['a trace without --trace-dir', { job_id: 'a', prompt: 'x', trace: 'logits' }, 'trace'],
    ['an unknown field', { job_id: 'a', prompt: 'x', streaming: true }, 'streaming'],
  ])('%s is a 400 that names the field', async (_name, body, field) => {
    const answer = await execute(body)
    expect(answer.status).toBe(400)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(answer.body.code).toBe('INVALID_REQUEST')
    expect(fields(answer)).toContain(field)
  })

  test.each<[string, string | Buffer]>([
    ['broken JSON', '{"job_id": "a", "prompt": "the secret plan'],
    ['no body', ''],
    ['a lone surrogate', '{"job_id":"a","prompt":"the secret plan \\ud800"}'],
    [
      'bytes that are no UTF-8',
      Buffer.from([...Buffer.from('{"job_id":"a","prompt":"the secret plan'), 0xff, 0x22, 0x7d]),
    ],
    ['__proto__ as a field', '{"job_id":"a","prompt":"the secret plan","__proto__":{"x":1}}'],
  ])('%s is a 400 that does not repeat it', async (_name, body) => {
    const answer = await post('/execute', body)
    expect(answer.status).toBe(400)
    expect(answer.body.code).toBe('INVALID_REQUEST')
    expect(answer.text).not.toContain('secret')
  })

  test('a prompt is never in an answer nor in the log, not even at level trace', async () => {
    const refused = [
      await execute({ job_id: 'a', prompt: `marmalade${'x'.repeat(32_768)}`, max_tokens: 'marmalade' }),
      await execute({ job_id: 'a', prompt: 'marmalade', messages: [{ role: 'user', content: 'marmalade' }] }),
      await execute({ job_id: 'a', prompt: 'marmalade '.repeat(60) }), // no room
      await post('/execute', '{"job_id":"a","prompt":"marmalade'),
    ]
    for (const { status, text, headers } of refused) {
      expect(status).toBe(400)
      expect(text).not.toContain('marmalade')
      expect(await worker.accessLine(String(headers['x-correlation-id']))).toMatchObject({ status: 400 })
    }
    const admitted = await Execution.toEnd(worker.url, fakeRequest({ text: 'marmalade' }))
    expect(admitted.text).toBe('marmalade') // the answer, which is no prompt; the log has neither
    expect(JSON.stringify([admitted.events[0], admitted.terminals])).not.toContain('marmalade')
    expect(await worker.accessLine(admitted.correlationId)).toMatchObject({ outcome: 'completed' })
    expect(worker.stderr).not.toContain('marmalade')
  })

  test('a prompt that leaves no room is CONTEXT_OVERFLOW, and one that leaves some has max_tokens clamped', async () => {
    const full = await execute({ job_id: 'a', prompt_token_ids: Array(64).fill(65) })
    expect(full.status).toBe(400)
    expect(full.body.code).toBe('CONTEXT_OVERFLOW')

    const script = fakeRequest({ tokens: 1000 })
    const room = 64 - (script.prompt as string).length
    const execution = await Execution.toEnd(worker.url, script)
    expect(execution.events[0]).toMatchObject({ type: 'started', prompt_tokens: 64 - room, max_tokens: room })
    expect(execution.terminals).toMatchObject([{ type: 'end', stop_reason: 'MAX_TOKENS', tokens_out: room }])
  })

  test('a hundred thousand mistakes are answered with a short list', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`f${n}`, 0]))
    const answer = await execute({ job_id: 'a', prompt: 'x', ...unknown })
    expect(answer.status).toBe(400)
    expect(answer.text.length).toBeLessThan(10_000)
    const ids = await execute({ job_id: 'a', prompt_token_ids: Array(200_000).fill(-1) })
    expect([ids.status, ids.body.code]).toEqual([400, 'CONTEXT_OVERFLOW'])
  })

  test('a job_id that is active is a 409, and free again when the stream has ended', async () => {
    const first = await Execution.start(worker.url, fakeRequest({ tokens: 1, ending: 'go-on' }))
    await first.untilTokens(1)
    const { job_id } = first.events[0] as { job_id: string }
    const again = await execute({ job_id, prompt: 'x' })
    expect(again.status).toBe(409)
    expect(again.body.code).toBe('JOB_ALREADY_ACTIVE')
    await post('/cancel', JSON.stringify({ job_id }))
    await first.ended
    const then = await Execution.toEnd(worker.url, { ...fakeRequest({ tokens: 1 }), job_id })
    expect(then.terminals).toMatchObject([{ type: 'end' }])
  })
})

describe('HTTP', () => {
  test('a body of 46 MB is refused before it comes', async () => {
    const socket = connect(Number(new URL(worker.url).port), '127.0.0.1')
    const length = 46 * 1024 * 1024
    const head = 'POST /execute HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    socket.write(`${head}Content-Length: ${length}\r\n\r\n`)
    expect(await firstLine(socket)).toBe('HTTP/1.1 413 Payload Too Large') // not a byte of it has been sent
    socket.destroy()
  })

  test.each([
    ['that is sent all the same', 'Content-Length: 48234496', (bytes: string) => bytes],
    ['that does not say how long it is', 'Transfer-Encoding: chunked', (bytes: string) => `10000\r\n${bytes}\r\n`],
  ])('a body of 46 MB %s is not kept', async (_name, header, encode) => {
    const before = await worker.memoryWithoutGarbage()
    const socket = connect(Number(new URL(worker.url).port), '127.0.0.1')
    socket.on('error', () => undefined)
    const line = firstLine(socket)
    socket.write(`POST /execute HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${header}\r\n\r\n`)
    const chunk = encode('x'.repeat(65_536))
    // All but the last of it: 45.9 MB that the worker has taken, or that lie in the kernel's buffers.
    for (let n = 0; n < 735; n++) await new Promise((resolve) => socket.write(chunk, resolve))
    expect(await line).toBe('HTTP/1.1 413 Payload Too Large')
    // Buffers are let go of in their own time, but what is kept would stay for as long as the body has not come to its end.
    await until(async () => (await worker.memoryWithoutGarbage()) - before < 4 * 1024 * 1024)
    socket.destroy()
  })

  test('a body that is compressed is a 415, not broken JSON', async () => {
    const answer = await fetch(`${worker.url}/execute`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: gzipSync(JSON.stringify({ job_id: 'a', prompt: 'x' })),
    })
    expect(answer.status).toBe(415)
  })

  test('a content type that is not JSON is a 415', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const answer = await post('/execute', '{}', { 'content-type': type })
      expect(answer.status).toBe(415)
      expect(answer.body.code).toBe('UNSUPPORTED_MEDIA_TYPE')
    }
  })

  test('an unknown route is a 404, a wrong method a 405 that says what is allowed', async () => {
    const unknown = await post('/nowhere', '{}')
    expect(unknown.status).toBe(404)
    expect(unknown.body.code).toBe('NOT_FOUND')
    for (const [method, path, allow] of [
      ['GET', '/execute', 'POST'],
      ['PUT', '/cancel', 'POST'],
      ['DELETE', '/health', 'GET'],
    ] as const) {
      const response = await request(worker.url + path, { method })
      expect(response.statusCode).toBe(405)
      expect(response.headers.allow).toBe(allow)
      expect(((await response.body.json()) as ErrorBody).code).toBe('METHOD_NOT_ALLOWED')
    }
  })

  test.each<[string, string, number, string]>([
    ['no HTTP', 'HELO there\r\n\r\n', 400, 'INVALID_REQUEST'],
    ['an unknown method', 'BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'INVALID_REQUEST'],
    ['an unknown version', 'GET / HTTP/7.0\r\nHost: x\r\n\r\n', 400, 'INVALID_REQUEST'],
    ['a header without a name', 'GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n', 400, 'INVALID_REQUEST'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'INVALID_REQUEST'],
    [
      'two lengths',
      'POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'INVALID_REQUEST',
    ],
    ['a URL that cannot be decoded', 'GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n', 400, 'INVALID_REQUEST'],
    ['a long URL', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414, 'URI_TOO_LONG'],
    ['a long header', `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(100_000)}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['an unknown route', 'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n', 404, 'NOT_FOUND'],
    ['a wrong method', 'PROPFIND /execute HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
  ])(
    '%s is answered with a typed error, its correlation id and a line in the log',
    async (_name, sent, status, code) => {
      const socket = connect(Number(new URL(worker.url).port), '127.0.0.1')
      socket.on('error', () => undefined) // 'close' follows
      let answer = ''
      socket.setEncoding('utf8').on('data', (text) => (answer += text))
      socket.write(sent)
      await until(() => answer.endsWith('}'))
      socket.destroy()
      const [head, body] = answer.split('\r\n\r\n') as [string, string]
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      expect(head).toMatch(/^content-type: application\/json; charset=utf-8\r?$/im)
      expect(JSON.parse(body)).toEqual({ code, message: expect.any(String), retriable: false })
      const id = /^x-correlation-id: ([0-9a-f-]{36})\r?$/im.exec(head)![1]!
      expect(await worker.accessLine(id)).toMatchObject({ status, error_code: code, path: expect.any(String) })
      expect(worker.stderr).not.toContain('xxxxxxxxxx')
    },
  )

  test('what is no HTTP behind a request does not get into the answer, nor cut it off', async () => {
    const socket = connect(Number(new URL(worker.url).port), '127.0.0.1')
    let answer = ''
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.setEncoding('utf8').on('data', (text) => (answer += text))
    const { engine } = await worker.health()
    const body = JSON.stringify(fakeRequest({ tokens: 5, onSignal: true }))
    const head = 'POST /execute HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    socket.write(`GET /livez HTTP/1.1\r\nHost: x\r\n\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    await until(() => answer.includes('event: started'))
    await new Promise((resolve) => socket.write('HELO there\r\n\r\n', resolve))
    for (let made = 1; made <= 5; made++) {
      process.kill(engine.pid!, 'SIGUSR2')
      await until(() => answer.split('event: token').length === made + 1)
    }
    await closed
    expect(answer.match(/event: \w+/g)).toEqual(['event: started', ...Array(5).fill('event: token'), 'event: end'])
    expect(answer.match(/HTTP\/1.1/g)).toEqual(['HTTP/1.1', 'HTTP/1.1'])
  })

  test('a valid X-Correlation-ID is echoed and in the log, another one is replaced', async () => {
    const echoed = await post('/execute', '{}', { 'x-correlation-id': 'trace.42:a_b-c' })
    expect(echoed.headers['x-correlation-id']).toBe('trace.42:a_b-c')
    const line = await worker.accessLine('trace.42:a_b-c')
    expect(line).toMatchObject({ method: 'POST', path: '/execute', status: 400, error_code: 'INVALID_REQUEST' })
    for (const bad of ['a b', 'x'.repeat(129), 'ä', '"']) {
      const replaced = await post('/execute', '{}', { 'x-correlation-id': Buffer.from(bad).toString('latin1') })
      expect(replaced.headers['x-correlation-id']).toMatch(/^[0-9a-f-]{36}$/)
    }
    const admitted = await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }), { 'x-correlation-id': 'job-7' })
    expect(admitted.correlationId).toBe('job-7')
    expect(await worker.accessLine('job-7')).toMatchObject({ status: 200, outcome: 'completed', tokens_out: 1 })
  })

  test('POST /cancel is a 202 for a job that is not there, and a 400 for a broken body', async () => {
    const unknown = await post('/cancel', '{"job_id":"nobody"}')
    expect([unknown.status, unknown.body]).toEqual([202, { job_id: 'nobody', cancelled: false }])
    expect((await post('/cancel', '{"job":"x"}')).status).toBe(400)
  })

  test('GET / is a page for people that needs nothing from elsewhere', async () => {
    const response = await request(worker.url)
    const page = await response.body.text()
    expect(response.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page).toContain('healthy')
    expect(page).not.toMatch(/src=|href=|@import|url\(/)
  })

  test('GET /livez is 200', async () => {
    const response = await request(`${worker.url}/livez`)
    expect([response.statusCode, await response.body.json()]).toEqual([200, { alive: true }])
  })
})

function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (text.includes('\r\n')) resolve(text.split('\r\n', 1)[0]!)
    })
    socket.on('close', () => reject(new Error(`closed after ${JSON.stringify(text)}`)))
  })
}
