import { EXIT } from '@plumbline/protocol'
import { type CompareOptions, compare } from '../comparison/compare.ts'
import type { Comparison, Judged } from '../comparison/comparison.ts'
import type { Recording } from '../recording/recording.ts'
import type { Reference } from '../reference-logs/find-references.ts'
import { shortNumber, worstRow } from '../report/summary.ts'

/** One reference and what the worker's trace of its prompt came to. */
export interface JudgedReference extends Judged {
  readonly name: string
}

/** How many tokens a reference says were generated after its prompt. */
export function generatedTokens({ run }: Reference): number {
  return (run.greedy?.tokenIds ?? run.identity.generatedTokenIds ?? []).length
}

/** References of the same prompt share a trace. */
export function byPrompt(references: readonly Reference[]): readonly (readonly Reference[])[] {
  const groups = new Map<string, Reference[]>()
  for (const reference of references) {
    const key = reference.promptTokenIds.join(',')
    groups.set(key, [...(groups.get(key) ?? []), reference])
  }
  return [...groups.values()]
}

/**
 * The worker's trace against all references of its prompt. One that holds only a part of the values, or is too noisy to tell, is enough
 * beside another that was found equal as a whole. `limit`: the most NMSE of a row of logits; where there is none, what the manifest says.
 */
export function compareTrace(
  trace: Recording,
  references: readonly Reference[],
  options: CompareOptions,
  { precision, limit }: { precision: 'fast' | 'exact'; limit?: number | undefined },
): readonly JudgedReference[] {
  const judged = references.map(({ name, recording, run, tolerance, listed }) => {
    const reference: Recording = { ...recording, runs: [run], close: () => {} }
    const comparison = holdTo(compare(trace, reference, options), limit ?? tolerance?.[precision])
    return { name, comparison: listed ? comparison : withoutHash(comparison), candidate: trace, reference }
  })
  const whole = judged.find(
    ({ comparison: { verdict } }) => verdict.exitCode === EXIT.ok && verdict.outcome !== 'partial',
  )
  return judged.map((one) => (whole === undefined ? one : { ...one, comparison: besides(one.comparison, whole.name) }))
}

/** Nothing says that the reference is still what was recorded. */
function withoutHash(comparison: Comparison): Comparison {
  const { alignment } = comparison
  const unverified = [...alignment.unverified, "hashes of the reference's files: no manifest.json lists them"]
  return { ...comparison, alignment: { ...alignment, unverified } }
}

function besides(comparison: Comparison, whole: string): Comparison {
  const { verdict } = comparison
  if (verdict.outcome !== 'partial' && verdict.outcome !== 'not-shown') return comparison
  return { ...comparison, verdict: { ...verdict, exitCode: EXIT.ok, line: `${verdict.line}; it is shown by ${whole}` } }
}

/** A bound of its own on the logits, in place of the ladder's room for other models. */
function holdTo(comparison: Comparison, limit: number | undefined): Comparison {
  const logits = logitsNmse(comparison)
  if (limit === undefined || logits === undefined || logits.nmse <= limit || comparison.verdict.exitCode !== EXIT.ok) {
    return comparison
  }
  const line = `DIVERGED at logits, token ${logits.position}: NMSE ${shortNumber(logits.nmse)}, and at most ${shortNumber(limit)} was asked for`
  return { ...comparison, verdict: { outcome: 'diverged', exitCode: EXIT.judgedFailed, line } }
}

/** The worst row of logits; NaN is worse than all. */
export function logitsNmse({ checkpoints }: Comparison): { nmse: number; position: number } | undefined {
  const logits = checkpoints.find(({ name }) => name === 'logits')
  if (logits === undefined) return undefined
  const row = worstRow(logits)
  return { nmse: logits.metrics.nmse[row]!, position: logits.positions[row]! }
}
