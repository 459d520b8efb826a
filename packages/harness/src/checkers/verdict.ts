import { EXIT, type ExitCode, worstExit } from '@plumbline/protocol'
import type { Check, CheckResult, Verdict } from './check.ts'

/**
 * The verdict over all checks of one kind: the worst wins. Nothing judged is `unknown`. A check that could have been
 * measured and was not leaves the verdict unknown, unless a failed check says why already; with --url, what needs
 * sight of the inside is let off.
 */
export function overallVerdict(
  results: readonly CheckResult[],
  checks: readonly Pick<Check, 'name' | 'fromInside'>[],
  watchedFrom: 'inside' | 'outside',
): Exclude<Verdict, 'not measurable'> {
  if (results.length === 0) return 'unknown'
  const has = (verdict: Verdict) => results.some((result) => result.verdict === verdict)
  if (has('unknown')) return 'unknown'
  if (has('fail')) return 'fail'
  const letOff = new Set(
    watchedFrom === 'outside' ? checks.filter((check) => check.fromInside).map(({ name }) => name) : [],
  )
  const counted = results.filter((result) => !letOff.has(result.name) || result.verdict !== 'not measurable')
  return counted.length > 0 && counted.every((result) => result.verdict === 'pass') ? 'pass' : 'unknown'
}

/** What a command that ends with these verdicts exits with. */
export function verdictExit(verdicts: readonly Exclude<Verdict, 'not measurable'>[]): ExitCode {
  const exits = { pass: EXIT.ok, fail: EXIT.judgedFailed, unknown: EXIT.untrusted } as const
  return worstExit(verdicts.map((verdict) => exits[verdict]))
}
