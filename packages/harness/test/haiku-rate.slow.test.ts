import { EXIT } from '@plumbline/protocol'
import { expect, test } from 'vitest'
import { runHarness } from './helpers/run-harness.ts'

test('haiku-nano on 100 fresh challenges, through the worker', { timeout: 300_000 }, async () => {
  const { stdout, exitCode } = await runHarness(['haiku-rate', '--challenges', '100'])
  expect(exitCode).toBe(EXIT.ok)
  const { words, three_lines, five_seven_five, distinct } = JSON.parse(stdout)
  // Three standard deviations of a hundred draws below 95 %, 99 % and 70 %: what 1,000 must reach (haiku-rate.nightly.test.ts).
  expect(words).toBeGreaterThanOrEqual(0.88)
  expect(three_lines).toBeGreaterThanOrEqual(0.96)
  expect(five_seven_five).toBeGreaterThanOrEqual(0.56)
  expect(distinct).toBeGreaterThanOrEqual(95)
})
