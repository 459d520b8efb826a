import { describe, expect, it } from 'vitest'
import { COMMITTED_SUBJECTS, casesOf, PHASES, type PlantedCase, Planter, SUBJECTS, tally } from './planted-mistakes.ts'

/** Every kind in every phase, in one place each, the places taken in turn. */
function oneOfEachKind(cases: readonly PlantedCase[]): PlantedCase[] {
  const kinds = [...new Set(cases.map(({ mistake }) => mistake))]
  return kinds.flatMap((kind, turn) =>
    PHASES.map((phase, i) => {
      const places = cases.filter((planted) => planted.mistake === kind && planted.phase === phase)
      return places[(turn + i) % places.length]!
    }),
  )
}

describe('mistakes planted by the oracle', () => {
  it('are all detected, at their op, and most of them named', { timeout: 600_000 }, () => {
    const results = COMMITTED_SUBJECTS.flatMap((name) => {
      const planter = new Planter(SUBJECTS[name]!())
      return oneOfEachKind(casesOf(planter.subject)).map((planted) => planter.run(planted))
    })
    const { kinds, traces, detected, exactOp, withinOneOp, rightCause, causeNamed } = tally(results)
    expect(kinds).toBeGreaterThanOrEqual(40)
    expect(traces).toBeGreaterThanOrEqual(240)
    expect(detected).toBe(traces)
    expect(exactOp / traces).toBeGreaterThanOrEqual(0.95)
    expect(withinOneOp).toBe(traces)
    expect(rightCause / traces).toBeGreaterThanOrEqual(0.8)
    expect(causeNamed).toBe(traces)
  })

  it('are found under the noise of 8-bit activations, too', { timeout: 600_000 }, () => {
    const planter = new Planter(SUBJECTS['stories260K-f32']!())
    const results = oneOfEachKind(casesOf(planter.subject, 'Q8')).map((planted) => planter.run(planted))
    const { traces, detected, exactOp, rightCause } = tally(results)
    expect(traces).toBeGreaterThanOrEqual(100)
    expect(detected).toBe(traces)
    expect(exactOp / traces).toBeGreaterThanOrEqual(0.95)
    expect(rightCause / traces).toBeGreaterThanOrEqual(0.8)
  })
})
