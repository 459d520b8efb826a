import { expect, test } from 'vitest'
import { counterTotal } from './metrics.ts'

const text = `# HELP tokens_total Tokens
# TYPE tokens_total counter
tokens_total{outcome="completed"} 12
tokens_total{outcome="cancelled",why="a } b"} 3 1700000000000
tokens_total_created 99
other_total 1.5e3
`

test('counterTotal sums over labels and leaves other names alone', () => {
  expect(counterTotal(text, 'tokens_total')).toBe(15)
  expect(counterTotal(text, 'other_total')).toBe(1500)
  expect(counterTotal(text, 'tokens')).toBeUndefined()
})
