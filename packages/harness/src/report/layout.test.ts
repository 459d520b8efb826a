import { expect, test } from 'vitest'
import { frame, wrap } from './layout.ts'

test('wrap keeps to the width, indents what follows, and never loses a word', () => {
  const text = 'the quick brown fox jumps over the lazy dog again and again'
  const lines = wrap('  name  ', text, 30).split('\n')
  expect(lines[0]).toBe('  name  the quick brown fox')
  expect(lines.every((line) => line.length <= 30)).toBe(true)
  expect(lines.slice(1).every((line) => line.startsWith(' '.repeat(8)))).toBe(true)
  expect(lines.map((line) => line.slice(8)).join(' ')).toBe(text)
})

test('wrap cuts a word that is longer than a line', () => {
  const lines = wrap('x ', 'a'.repeat(100), 40).split('\n')
  expect(lines.every((line) => line.length <= 40)).toBe(true)
  expect(lines.map((line) => line.slice(2)).join('')).toBe('a'.repeat(100))
})

test('frame is a rectangle', () => {
  const lines = frame(['a line', 'a much longer line of a haiku', ''], ['5', '17']).split('\n')
  expect(new Set(lines.map((line) => line.length)).size).toBe(1)
  expect(lines).toHaveLength(5)
})
