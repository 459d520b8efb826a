import { committedAsset } from '@plumbline/protocol/testing'
import { describe, expect, it } from 'vitest'
import { openRecording } from '../src/formats/open-recording.ts'
import {
  COMMITTED_SUBJECTS,
  casesOf,
  casesOfValues,
  oneOfEachKind,
  Planter,
  SUBJECTS,
  tally,
} from './planted-mistakes.ts'

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

  it('are named with their parameter, where no list has it', { timeout: 600_000 }, () => {
    const results = COMMITTED_SUBJECTS.flatMap((name) => {
      const planter = new Planter(SUBJECTS[name]!())
      return casesOfValues(planter.subject).map((planted) => planter.run(planted))
    }).filter(({ outcome }) => outcome !== 'below tolerance' && outcome !== 'not applicable')
    expect(results.length).toBeGreaterThanOrEqual(200)
    for (const { mistake, checkpoint, phase, value, found, cause, message } of results) {
      const planted = `${mistake}=${value}@${checkpoint}:${phase}`
      expect([found, cause], planted).toEqual([checkpoint, mistake])
      expect(message, planted).toContain(`${value}`)
    }
  })

  it('are found against Transformers, whose queries and keys are in another order', { timeout: 600_000 }, async () => {
    const recording = await openRecording(committedAsset('stories260K/transformers/prompt-1.safetensors'))
    const [reference] = recording.runs
    const subject = { ...SUBJECTS['stories260K-f32']!(), promptTokenIds: reference!.identity.promptTokenIds! }
    const planter = new Planter(subject, reference)
    const cases = oneOfEachKind(casesOf(subject)).filter(({ phase }) => phase === 'prefill')
    const { kinds, traces, detected, exactOp, withinOneOp, rightCause } = tally(cases.map((one) => planter.run(one)))
    recording.close()
    expect(kinds).toBeGreaterThanOrEqual(40)
    expect(detected).toBe(traces)
    expect(exactOp / traces).toBeGreaterThanOrEqual(0.95)
    expect(withinOneOp).toBe(traces)
    expect(rightCause / traces).toBeGreaterThanOrEqual(0.8)
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
