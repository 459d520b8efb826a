import { describeWithAssets } from '@plumbline/protocol/testing'
import { describe, expect, it } from 'vitest'
import { COMMITTED_SUBJECTS, casesOf, Planter, SUBJECTS, tally } from './planted-mistakes.ts'

function plantEverywhere(name: string): void {
  it('is detected, at its op, and mostly named', { timeout: 3_600_000 }, () => {
    const planter = new Planter(SUBJECTS[name]!())
    const results = casesOf(planter.subject).map((planted) => planter.run(planted))
    const { traces, detected, exactOp, withinOneOp, rightCause } = tally(results)
    expect(traces).toBeGreaterThanOrEqual(240)
    expect(detected).toBe(traces)
    expect(exactOp / traces).toBeGreaterThanOrEqual(0.95)
    expect(withinOneOp).toBe(traces)
    expect(rightCause / traces).toBeGreaterThanOrEqual(0.8)
  })
}

for (const name of Object.keys(SUBJECTS)) {
  const title = `every mistake in every place of ${name}`
  if ((COMMITTED_SUBJECTS as readonly string[]).includes(name)) describe(title, () => plantEverywhere(name))
  else describeWithAssets(describe, title, () => plantEverywhere(name))
}
