import { EXIT } from '@plumbline/protocol'
import { expect, test } from 'vitest'
import { runHarness } from './helpers/run-harness.ts'

test('haiku-nano on 1,000 fresh challenges, through the worker', { timeout: 1_800_000 }, async () => {
  const { stdout, exitCode } = await runHarness(['haiku-rate', '--challenges', '1000'])
  expect(exitCode).toBe(EXIT.ok)
  const { words, three_lines, five_seven_five, distinct } = JSON.parse(stdout)
  expect(words).toBeGreaterThanOrEqual(0.95)
  expect(three_lines).toBeGreaterThanOrEqual(0.99)
  expect(five_seven_five).toBeGreaterThanOrEqual(0.7)
  expect(distinct).toBeGreaterThanOrEqual(950)
})
