import { expect, test } from 'vitest'
import { positiveInteger, precision, rowNames, threadCounts } from './options.ts'
import { ROWS } from './rows.ts'

test('rows are chosen by name or by what their names begin with, in the order of the tables', () => {
  const chosen = (value: string) => rowNames(value).map(({ name }) => name)
  expect(chosen('decode')).toEqual(['decode'])
  expect(chosen('decode,prefill')).toEqual(['prefill-16', 'prefill-128', 'prefill-512', 'decode'])
  expect(chosen('memory-front')).toEqual(['memory-front'])
  expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length)
})

test('a row that is none is refused with those that there are', () => {
  expect(() => rowNames('decode,speed')).toThrow(/no row speed; there are load, prefill-16,/)
})

test('thread counts are sorted and distinct', () => {
  expect(threadCounts('4,1,4')).toEqual([1, 4])
  for (const wrong of ['', '0', '1,,2', '-1', '1.5', 'all']) expect(() => threadCounts(wrong)).toThrow('whole number')
})

test('numbers and precisions are what they must be', () => {
  expect(positiveInteger('12')).toBe(12)
  expect(() => positiveInteger('1e3')).toThrow('whole number')
  expect(precision('exact')).toBe('exact')
  expect(() => precision('half')).toThrow('fast or exact')
})
