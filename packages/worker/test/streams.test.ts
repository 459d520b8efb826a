import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Execution, fakeRequest } from './helpers/execute.ts'
import { fakeWorker, type SpawnedWorker, spawnFakeWorker, until } from './helpers/spawn-worker.ts'

let worker: SpawnedWorker
beforeAll(async () => {
  worker = spawnFakeWorker(['--ping-interval-sec', '0.1', '--max-queue', '2'])
  await worker.waitFor('ready')
})
afterAll(() => worker.stop())

const cancel = (job_id: unknown) =>
  fetch(`${worker.url}/cancel`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ job_id }),
  })

test('an answer is started, one event a token, and one end; ids count the events', async () => {
  const body = fakeRequest({ text: 'plumb' }, { seed: '18446744073709551615', max_tokens: 100 })
  const { events, ids, text } = await Execution.toEnd(worker.url, body)
  expect(events.map((event) => event.type)).toEqual(['started', ...Array(5).fill('token'), 'end'])
  expect(ids).toEqual(events.map((_, index) => String(index)))
  expect(events[0]).toMatchObject({ job_id: body.job_id, model: 'fake', seed: '18446744073709551615', device: 'cpu' })
  expect(events.filter((event) => event.type === 'token').map((event) => event.i)).toEqual([0, 1, 2, 3, 4])
  expect(events.at(-1)).toMatchObject({ tokens_out: 5, stop_reason: 'EOS' })
  expect(text).toBe('plumb')
})

test('a seed is drawn when none is given, and told', async () => {
  const seeds = new Set<string>()
  for (let n = 0; n < 3; n++) {
    const { events } = await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))
    seeds.add((events[0] as { seed: string }).seed)
  }
  expect(seeds.size).toBe(3)
})

test('characters come whole, stop strings cut the text, and what is withheld comes at the end', async () => {
  const whole = await Execution.toEnd(worker.url, fakeRequest({ text: 'né 🌸' }))
  expect(whole.tokens.map((event) => event.t)).toEqual(['n', '', 'é', ' ', '', '', '', '🌸'])

  const stopped = await Execution.toEnd(worker.url, fakeRequest({ text: 'one END two' }, { stop: ['END', 'never'] }))
  expect(stopped.text).toBe('one ')
  expect(stopped.terminals).toMatchObject([
    { type: 'end', stop_reason: 'STOP_SEQUENCE', stop_sequence_matched: 'END', tokens_out: 7 },
  ])

  const withheld = await Execution.toEnd(worker.url, fakeRequest({ text: 'one EN' }, { stop: ['END'] }))
  expect(withheld.terminals).toMatchObject([{ t: 'EN', stop_reason: 'EOS' }])

  const incomplete = await Execution.toEnd(worker.url, fakeRequest({ text: '🌸', tokens: 3 }))
  expect(incomplete.terminals).toMatchObject([{ t: '\ufffd', tokens_out: 3 }])
})

test('tokens arrive one by one as they are made', async () => {
  const { engine } = await worker.health()
  const execution = await Execution.start(worker.url, fakeRequest({ tokens: 5, onSignal: true }))
  await until(() => execution.events.length === 1) // started
  for (let made = 1; made <= 5; made++) {
    // The next token is made only when this one has arrived: whatever held it back would hold it back for ever.
    process.kill(engine.pid!, 'SIGUSR2')
    await execution.untilTokens(made)
    expect(execution.tokens.length).toBe(made)
  }
  await execution.ended
  expect(execution.terminals).toMatchObject([{ type: 'end', tokens_out: 5 }])
})

test('headers come at once, before the job leaves the queue, and pings while it waits', async () => {
  const first = await Execution.start(worker.url, fakeRequest({ tokens: 1, ending: 'go-on' }))
  const second = await Execution.start(worker.url, fakeRequest({ tokens: 1 })) // resolves with the headers
  await until(() => second.comments.length >= 2)
  expect(second.events).toEqual([])
  await cancel((first.events[0] as { job_id: string }).job_id)
  await second.ended
  expect(second.events.map((event) => event.type)).toEqual(['started', 'token', 'end'])
})

test('a job that is cancelled while it runs ends with CANCELLED, and the engine goes on to the next', async () => {
  const body = fakeRequest({ tokens: 1, ending: 'go-on' })
  const execution = await Execution.start(worker.url, body)
  await execution.untilTokens(1)
  const answers = await Promise.all([cancel(body.job_id), cancel(body.job_id)])
  expect(answers.map((answer) => answer.status)).toEqual([202, 202])
  await execution.ended
  expect(execution.terminals).toMatchObject([{ type: 'error', code: 'CANCELLED', retriable: false }])
  expect((await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))).terminals).toMatchObject([{ type: 'end' }])
  expect((await cancel(body.job_id)).status).toBe(202) // long over
})

test('a job that is cancelled while it waits ends without having started', async () => {
  const running = fakeRequest({ tokens: 1, ending: 'go-on' })
  const waiting = fakeRequest({ tokens: 1 })
  const first = await Execution.start(worker.url, running)
  const second = await Execution.start(worker.url, waiting)
  expect(await (await cancel(waiting.job_id)).json()).toEqual({ job_id: waiting.job_id, cancelled: true })
  await second.ended
  expect(second.events).toMatchObject([{ type: 'error', code: 'CANCELLED' }])
  await cancel(running.job_id)
  await first.ended
})

test('a full queue is a 503 that says when to come back', async () => {
  await until(async () => (await worker.health()).queue.active === 0) // the engine may still be stopping the last test's job
  const bodies = [1, 2, 3].map(() => fakeRequest({ tokens: 1, ending: 'go-on' }))
  const admitted: Execution[] = []
  for (const body of bodies) admitted.push(await Execution.start(worker.url, body))
  expect((await worker.health()).queue).toEqual({ active: 1, waiting: 2 })
  const refused = await fetch(`${worker.url}/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(fakeRequest({ tokens: 1 })),
  })
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'OVERLOADED', retriable: true }])
  expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
  for (const body of bodies) await cancel(body.job_id)
  for (const execution of admitted) await execution.ended
})

test('logprobs are passed on', async () => {
  const { tokens } = await Execution.toEnd(worker.url, fakeRequest({ tokens: 2 }, { logprobs: 1 }))
  expect(tokens.map(({ logprob, top }) => [logprob, top])).toEqual(
    Array(2).fill([-1, [{ token_id: 0, logprob: -1.2345678901234567 }]]),
  )
})

test('a job that computes for too long ends with INFERENCE_TIMEOUT', async () => {
  const worker = await fakeWorker(['--inference-timeout-sec', '0.3'])
  const execution = await Execution.toEnd(worker.url, fakeRequest({ tokens: 3, ending: 'go-on' }))
  expect(execution.tokens.length).toBe(3)
  expect(execution.terminals).toMatchObject([{ type: 'error', code: 'INFERENCE_TIMEOUT', retriable: true }])
  expect(await worker.accessLine(execution.correlationId)).toMatchObject({ outcome: 'timed_out' })
  expect((await Execution.toEnd(worker.url, fakeRequest({ tokens: 1 }))).terminals).toMatchObject([{ type: 'end' }])
})

test('the metrics count what the streams held', async () => {
  const names = [
    'tokens_out_total',
    'tokens_in_total',
    'requests_total{outcome="completed"}',
    'inter_token_seconds_count',
  ]
  const read = () => Promise.all(names.map((name) => worker.metric(name)))
  const before = await read()
  const body = fakeRequest({ tokens: 7 })
  const execution = await Execution.toEnd(worker.url, body)
  await worker.accessLine(execution.correlationId)
  const after = await read()
  expect(after.map((value, index) => value - before[index]!)).toEqual([7, (body.prompt as string).length, 1, 6])
})

test('requests that are sent on one connection without waiting are all answered, one after the other', async () => {
  const { hostname, port } = new URL(worker.url)
  const requests = [1, 2, 3].map((tokens) => {
    const body = JSON.stringify(fakeRequest({ tokens }))
    return `POST /execute HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  })
  let answers = ''
  const socket = connect(Number(port), hostname, () => socket.write(requests.join('')))
  socket.setEncoding('utf8').on('data', (text) => (answers += text))
  const count = (event: string) => answers.split(`event: ${event}\n`).length - 1
  await until(() => count('end') === 3)
  socket.destroy()
  expect([count('started'), count('token'), count('error')]).toEqual([3, 6, 0])
})
