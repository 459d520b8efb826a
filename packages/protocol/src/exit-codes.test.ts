import { expect, it } from 'vitest'
import { EXIT, worstExit } from './exit-codes.ts'

it('lets the worst outcome win: 5 > 4 > 3 > 1 > 0', () => {
  expect(worstExit([EXIT.ok, EXIT.judgedFailed, EXIT.ok])).toBe(1)
  expect(worstExit([EXIT.judgedFailed, EXIT.notComparable])).toBe(3)
  expect(worstExit([EXIT.untrusted, EXIT.notComparable])).toBe(4)
  expect(worstExit([EXIT.untrusted, EXIT.couldNotRun, EXIT.ok])).toBe(5)
  expect(worstExit([EXIT.ok])).toBe(0)
})

it('calls no outcomes at all untrusted, never ok', () => {
  expect(worstExit([])).toBe(EXIT.untrusted)
})
