import { EXIT } from '@plumbline/protocol'
import { expect, test } from 'vitest'
import { honestEvidence } from '../../test/helpers/recorded.ts'
import { type Check, type CheckResult, pass, runChecks, type Verdict } from './check.ts'
import { overallVerdict, verdictExit } from './verdict.ts'

const result = (name: string, verdict: Verdict): CheckResult => ({ name, verdict, expected: '', seen: '' })
const checks = [
  { name: 'a', fromInside: false },
  { name: 'b', fromInside: true },
]
const overall = (a: Verdict, b: Verdict, from: 'inside' | 'outside' = 'inside') =>
  overallVerdict([result('a', a), result('b', b)], checks, from)

test('the worst verdict wins', () => {
  expect(overall('pass', 'pass')).toBe('pass')
  expect(overall('fail', 'pass')).toBe('fail')
  expect(overall('fail', 'unknown')).toBe('unknown')
  expect(overall('fail', 'not measurable')).toBe('fail')
})

test('what was not measured is never a pass; from outside, what needs the inside is let off', () => {
  expect(overall('not measurable', 'pass')).toBe('unknown')
  expect(overall('pass', 'not measurable')).toBe('unknown')
  expect(overall('pass', 'not measurable', 'outside')).toBe('pass')
  expect(overall('not measurable', 'pass', 'outside')).toBe('unknown')
  expect(overall('pass', 'fail', 'outside')).toBe('fail')
  expect(overallVerdict([result('b', 'not measurable')], checks, 'outside')).toBe('unknown')
})

test('zero checks are never a pass', () => {
  expect(overallVerdict([], [], 'inside')).toBe('unknown')
  expect(verdictExit([])).toBe(EXIT.untrusted)
})

test('a crashed check is unknown, and the others still count', () => {
  const crashing: Check = {
    name: 'crashing',
    fromInside: false,
    run() {
      throw new Error('boom')
    },
  }
  const passing: Check = { name: 'passing', fromInside: false, run: () => pass('', '') }
  const results = runChecks([crashing, passing], honestEvidence())
  expect(results.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['crashing', 'unknown'],
    ['passing', 'pass'],
  ])
  expect(results[0]!.seen).toContain('boom')
  expect(verdictExit([overallVerdict(results, [crashing, passing], 'inside')])).toBe(EXIT.untrusted)
})

test('exit codes: 4 is worse than 1 is worse than 0', () => {
  expect(verdictExit(['pass', 'pass'])).toBe(EXIT.ok)
  expect(verdictExit(['pass', 'fail'])).toBe(EXIT.judgedFailed)
  expect(verdictExit(['fail', 'unknown'])).toBe(EXIT.untrusted)
})
