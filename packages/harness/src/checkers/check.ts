import type { Evidence } from '../evidence/evidence.ts'

export type Verdict =
  | 'pass'
  | 'fail'
  /** The check itself could not judge: it crashed. */
  | 'unknown'
  /** The evidence does not let anyone tell. Never a pass. */
  | 'not measurable'

/** What a checker found. `expected` and `seen` are for people: they say what with numbers. */
export interface Finding {
  readonly verdict: Verdict
  readonly expected: string
  readonly seen: string
}

export interface CheckResult extends Finding {
  readonly name: string
}

/** One question about recorded evidence. Pure: the same evidence, the same finding. */
export interface Check<Recorded = Evidence> {
  readonly name: string
  /**
   * Whether the answer needs sight of the machine that the worker runs on, or the worker to itself. With --url such a
   * check may be `not measurable` without harm to the verdict.
   */
  readonly fromInside: boolean
  run(evidence: Recorded): Finding
}

export const pass = (expected: string, seen: string): Finding => ({ verdict: 'pass', expected, seen })
export const fail = (expected: string, seen: string): Finding => ({ verdict: 'fail', expected, seen })
export const notMeasurable = (expected: string, seen: string): Finding => ({
  verdict: 'not measurable',
  expected,
  seen,
})

export const NOT_INSIDE = 'seen from outside, or without /proc, nobody can tell'

/** A finding for what is true or false. */
export const judge = (holds: boolean, expected: string, seen: string): Finding =>
  holds ? pass(expected, seen) : fail(expected, seen)

/** The worst of several findings of one check; the first of the worst tells. */
export function worstFinding(findings: readonly Finding[]): Finding | undefined {
  const order: Verdict[] = ['unknown', 'fail', 'not measurable', 'pass']
  return order.flatMap((verdict) => findings.filter((finding) => finding.verdict === verdict))[0]
}

/** Runs checks one by one. One that throws is `unknown`: the others still count. */
export function runChecks<Recorded>(checks: readonly Check<Recorded>[], evidence: Recorded): CheckResult[] {
  return checks.map((check) => {
    try {
      return { name: check.name, ...check.run(evidence) }
    } catch (error) {
      const seen = `the check crashed: ${error instanceof Error ? error.message : String(error)}`
      return { name: check.name, verdict: 'unknown', expected: 'a check that runs to its end', seen }
    }
  })
}
