import { InvalidRequestError, LIMITS } from '@plumbline/protocol'
import { expect, test } from 'vitest'
import { parseJsonBody } from './json-body.ts'

function constraintOf(text: string): string | undefined {
  try {
    parseJsonBody(Buffer.from(text))
  } catch (error) {
    return (error as InvalidRequestError).errors[0]!.constraint
  }
  return undefined
}

const objectOf = (count: number) => JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, n) => [n, 1])))

test('a body may hold as many fields and objects as there is a use for, and no more', () => {
  expect(constraintOf(objectOf(LIMITS.bodyFields - 1))).toBeUndefined()
  expect(constraintOf(objectOf(LIMITS.bodyFields))).toBe('field_count')
  expect(constraintOf(`[${Array(LIMITS.bodyFields + 1).fill('{}')}]`)).toBe('field_count')
})

test('a colon in a string is no field', () => {
  const text = '":\\'.repeat(LIMITS.bodyFields + 1)
  expect(parseJsonBody(Buffer.from(JSON.stringify({ [text]: text })))).toEqual({ [text]: text })
})

test('80,000 fields hold up the event loop no longer than it takes to count them', () => {
  const body = Buffer.from(objectOf(80_000))
  const times = Array.from({ length: 5 }, () => {
    const started = performance.now()
    expect(() => parseJsonBody(body)).toThrow(InvalidRequestError)
    return performance.now() - started
  })
  expect(Math.min(...times)).toBeLessThan(30) // 3 here; 140 to parse it
})
