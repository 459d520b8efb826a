import { expect, test } from 'vitest'
import { readHttpAnswer } from './http-answer.ts'

const arrive = (pieces: readonly string[]) => pieces.map((text, at) => ({ at, bytes: Buffer.from(text, 'latin1') }))
const texts = (pieces: readonly string[]) => {
  const { status, body } = readHttpAnswer(arrive(pieces))
  return [status, ...body.map(({ at, bytes }) => [at, Buffer.from(bytes).toString()])]
}

test('a chunked body is its pieces, each with the time at which it came', () => {
  const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'
  expect(texts([head, '3\r\nabc\r\n', '2\r\nd', 'e\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n'])).toEqual([
    200,
    [1, 'abc'],
    [2, 'd'],
    [3, 'e'],
    [3, '0123456789'],
  ])
})

test('a body without chunks goes to the end', () => {
  expect(texts(['HTTP/1.0 503 No', 't now\r\ncontent-length: 3\r\n\r\na', 'bc'])).toEqual([503, [1, 'a'], [2, 'bc']])
})

test('what ends early or is none is said so', () => {
  const cut = ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab']
  expect(() => texts(cut)).toThrow('ended in the middle')
  expect(() => texts(['hello'])).toThrow('no HTTP answer')
  expect(() => texts([])).toThrow('no HTTP answer')
})
