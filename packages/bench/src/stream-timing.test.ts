import { expect, test } from 'vitest'
import { type Arrival, timeStream } from './stream-timing.ts'

const arrivals = (...pieces: readonly (readonly [number, string])[]): Arrival[] =>
  pieces.map(([at, text]) => ({ at, bytes: Buffer.from(text) }))

test('the rate is that of the tokens after the first arrival', () => {
  const timing = timeStream(arrivals([1, 'start'], [5, 'T'], [10, 'T'], [15, 'TT'], [90, 'end']), /T/g)
  expect(timing).toEqual({ firstTokenMs: 5, tokens: 4, tokensPerSecond: 300 })
})

test('tokens that came together with the first one are not in the rate', () => {
  const timing = timeStream(arrivals([5, 'TT'], [15, 'T'], [25, 'T']), /T/g)
  expect(timing).toEqual({ firstTokenMs: 5, tokens: 4, tokensPerSecond: 100 })
})

test('a stream of which most came at once has no rate', () => {
  expect(timeStream(arrivals([5, 'TTTTTTTT'], [5.001, 'T']), /T/g).tokensPerSecond).toBeUndefined()
})

test('a frame that arrives in two pieces has come with the second', () => {
  expect(timeStream(arrivals([1, 'é tok'], [4, 'en'], [6, ' token']), /token/g)).toMatchObject({
    firstTokenMs: 4,
    tokens: 2,
  })
})

test('a server that says how many tokens there are so far is believed, not its number of frames', () => {
  const said = timeStream(arrivals([5, 'n=1,'], [10, 'n=2,'], [15, 'n=5,'], [17, 'end']), /n=(\d+)/g)
  expect(said).toEqual({ firstTokenMs: 5, tokens: 5, tokensPerSecond: 400 })
})

test('a stream that came at once has no rate', () => {
  expect(timeStream(arrivals([3, 'TTT']), /T/g)).toEqual({ firstTokenMs: 3, tokens: 3, tokensPerSecond: undefined })
})

test('a stream without a token shows what it was', () => {
  expect(() => timeStream(arrivals([1, '{"error":"busy"}']), /T/g)).toThrow('no token: {"error":"busy"}')
  expect(() => timeStream([], /T/g)).toThrow('no token')
})
