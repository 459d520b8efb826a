import { describeWithAssets } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { roundingAlarms } from './honest-roundings.ts'
import { COMMITTED_SUBJECTS, SUBJECTS } from './planted-mistakes.ts'

function raisesNone(name: string): void {
  test('no honest rounding raises an alarm', { timeout: 600_000 }, () => {
    const { pairs, alarms, unshown } = roundingAlarms(SUBJECTS[name]!())
    expect(pairs).toBeGreaterThanOrEqual(30)
    expect(alarms).toEqual([])
    expect(unshown).toEqual([])
  })
}

for (const name of Object.keys(SUBJECTS)) {
  if ((COMMITTED_SUBJECTS as readonly string[]).includes(name)) describe(name, () => raisesNone(name))
  else describeWithAssets(describe, name, () => raisesNone(name))
}
