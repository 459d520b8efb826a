import { countSyllables, linesOf } from '@plumbline/haiku-nano'
import type { ExitCode } from '@plumbline/protocol'
import type { Challenge } from './challenge/challenge.ts'
import { type CheckResult, runChecks, type Verdict } from './checkers/check.ts'
import { GENUINE_CHECKS } from './checkers/genuine.ts'
import { HAIKU_CHECKS } from './checkers/haiku.ts'
import { overallVerdict, verdictExit } from './checkers/verdict.ts'
import { type Diagnosis, diagnoseStreams } from './diagnosis/diagnose.ts'
import type { Evidence } from './evidence/evidence.ts'
import { viewStream } from './probes/stream-view.ts'

type OverallVerdict = Exclude<Verdict, 'not measurable'>

export interface JudgedAttempt {
  readonly challenge: Challenge
  readonly text: string
  /** Of each line that is there: counted, not required. */
  readonly syllables: readonly number[]
  readonly verdict: OverallVerdict
  readonly checks: readonly CheckResult[]
}

/** What a run came to: verification.json, less where and when. */
export interface Verification {
  readonly verdicts: { readonly genuine: OverallVerdict; readonly haiku: OverallVerdict }
  readonly exitCode: ExitCode
  readonly genuine: readonly CheckResult[]
  readonly attempts: readonly JudgedAttempt[]
  /** What went wrong, in words, when something did. */
  readonly diagnosis: Diagnosis | undefined
}

/** Runs all checkers over the evidence. Pure. */
export function verify(evidence: Evidence): Verification {
  const attempts = evidence.attempts.map((attempt): JudgedAttempt => {
    const { text } = viewStream(attempt.stream)
    const checks = runChecks(HAIKU_CHECKS, attempt)
    return {
      challenge: attempt.challenge,
      text,
      syllables: linesOf(text).map(countSyllables),
      verdict: overallVerdict(checks, HAIKU_CHECKS, 'inside'),
      checks,
    }
  })
  const genuineChecks = runChecks(GENUINE_CHECKS, evidence)
  const genuine = overallVerdict(genuineChecks, GENUINE_CHECKS, evidence.inside === undefined ? 'outside' : 'inside')
  const haiku = attempts.at(-1)?.verdict ?? 'unknown'
  return {
    verdicts: { genuine, haiku },
    exitCode: verdictExit([genuine, haiku]),
    genuine: genuineChecks,
    attempts,
    diagnosis: diagnoseStreams(evidence),
  }
}
