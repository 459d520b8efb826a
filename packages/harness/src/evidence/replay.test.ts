import { committedAsset } from '@plumbline/protocol/testing'
import { sample } from '@plumbline/reference'
import { beforeAll, describe, expect, test } from 'vitest'
import { end, started, streamOf } from '../../test/helpers/recorded.ts'
import type { StreamRecord } from '../probes/stream-record.ts'
import { replayStream } from './replay.ts'
import { readSubject, type Subject } from './subject.ts'

const TOLERANCE = 1e-6
const request = { job_id: 'job', prompt: 'Once upon a time', max_tokens: 40, seed: '99', temperature: 0.8, top_p: 0.95 }
const sampling = { temperature: 0.8, topK: 0, topP: 0.95, minP: 0, repetitionPenalty: 1, seed: 99n }

let subject: Subject
let honest: number[]

/** `ids` as the answer of a stream. */
function answer(ids: readonly number[], change: object = {}): StreamRecord {
  const tokens = ids.map((id, i) => ({ type: 'token', i, token_id: id, t: '' }) as const)
  const last = end(ids.length, { stop_reason: 'MAX_TOKENS' })
  return streamOf([started(), ...tokens, last], { request: { ...request, ...change } })
}

async function replay(stream: StreamRecord, signal = new AbortController().signal) {
  return replayStream(subject, stream, {
    activations: 'float',
    signal,
    onProgress: () => {},
  })
}

beforeAll(async () => {
  subject = await readSubject(committedAsset('stories260K/stories260K-f32.gguf'))
  const prompt = subject.tokenizer.encode(request.prompt)
  const session = subject.model().newSession()
  let logits = session.append(prompt).at(-1)!
  honest = []
  while (honest.length < request.max_tokens) {
    const { tokenId } = sample(logits, sampling, [...prompt, ...honest], honest.length)
    honest.push(tokenId)
    logits = session.append([tokenId])[0]!
  }
})

test('every token of an honest answer is the very draw', async () => {
  const { draws, replayed } = await replay(answer(honest))
  expect(draws).toBe(40)
  expect(replayed).toHaveLength(40)
  expect(replayed.map((draw) => draw.tokenId)).toEqual(honest)
  expect(replayed.every((draw) => draw.margin === 0 && draw.inKeptSet && !draw.edge)).toBe(true)
})

test('one token exchanged is one wrong draw, in its place', async () => {
  const other = honest.with(20, honest[20] === 300 ? 301 : 300)
  const { replayed } = await replay(answer(other))
  const wrong = replayed.filter((draw) => draw.margin > TOLERANCE || !draw.inKeptSet)
  expect(wrong.map((draw) => draw.index)).toContain(20)
  expect(wrong.every((draw) => draw.index >= 20)).toBe(true)
})

describe('the same tokens are wrong draws for', () => {
  test.each([
    ['another seed', { seed: '100' }],
    ['another prompt', { prompt: 'The dog is very big and' }],
    ['another temperature', { temperature: 2 }],
  ])('%s', async (_, change) => {
    const { replayed } = await replay(answer(honest, change))
    expect(replayed.filter((draw) => draw.margin > TOLERANCE || !draw.inKeptSet).length).toBeGreaterThan(0)
  })
})

test('an answer cut short by a false EOS has one draw more, and that one is wrong', async () => {
  const tokens = honest.slice(0, 10).map((id, i) => ({ type: 'token', i, token_id: id, t: '' }) as const)
  const { draws, replayed } = await replay(streamOf([started(), ...tokens, end(10)], { request }))
  expect(draws).toBe(11)
  expect(replayed.slice(0, 10).every((draw) => draw.margin === 0)).toBe(true)
  expect(subject.tokenizer.eosIds.has(replayed[10]!.tokenId)).toBe(true)
  expect(replayed[10]!.margin > TOLERANCE || !replayed[10]!.inKeptSet).toBe(true)
})

test('told to stop: the rest is told to be missing', async () => {
  const { draws, replayed } = await replay(answer(honest), AbortSignal.abort())
  expect(draws).toBe(40)
  expect(replayed.length).toBeLessThan(40)
})

test('an empty answer has nothing to replay', async () => {
  expect(await replay(answer([]))).toMatchObject({ draws: 0, replayed: [] })
})

test('an id outside the vocabulary is told, and what stands before it is replayed', async () => {
  const { draws, replayed, impossible } = await replay(answer([...honest.slice(0, 5), 512, 3]))
  expect(impossible).toEqual({ index: 5, tokenId: 512 })
  expect(draws).toBe(5)
  expect(replayed).toHaveLength(5)
})

test('what the reference cannot evaluate is an error in the record', async () => {
  const { error } = await replay(answer(Array.from({ length: 200 }, () => 300)))
  expect(error).toContain('128')
})
