import { EXIT, type ExitCode } from '@plumbline/protocol'
import { type CompareOptions, compare } from '../comparison/compare.ts'
import type { Comparison } from '../comparison/comparison.ts'
import type { RecordedRun, Recording } from '../recording/recording.ts'
import { worstRow } from '../report/summary.ts'

/** How the worker computes, and how the same tokens are put through it. */
export interface Way {
  readonly precision: 'fast' | 'exact'
  readonly threads: number
  /** e.g. `chunks of 7` */
  readonly how: string
}

/** One way, held against the base. */
export interface Cell extends Way {
  /** `equal`: bit for bit. `within`: not by more than the noise of its arithmetic. `not-shown`: likewise, but its ops could not be replayed. */
  readonly outcome: 'equal' | 'within' | 'not-shown' | 'differs' | 'not-comparable' | 'untrusted'
  readonly exitCode: ExitCode
  /** The most of any row. */
  readonly nmse: number
  /** Where the first value that is not the same is: of what exceeds the noise, if anything does. */
  readonly first?: { readonly checkpoint: string; readonly position: number }
  readonly message: string
}

/**
 * An exact cell must be the base bit for bit; a fast one within the ladder, and each of its ops what the model makes of its inputs. A served
 * request holds logits at fewer positions than the base: what both hold is compared.
 */
export function judgeCell(
  way: Way,
  recording: Recording,
  base: Recording,
  options: Pick<CompareOptions, 'model' | 'allowWeaker'>,
): Cell {
  // The same bits need no model to be told.
  const how = way.precision === 'exact' ? { profile: 'bit-exact' as const } : options
  const { verdict, divergence, checkpoints, greedy } = compare(recording, base, { ...how, allowPartial: true })
  const differing = firstDifference(checkpoints)
  const first = divergence === undefined ? differing : divergence
  const nmse = Math.max(0, ...checkpoints.map((checkpoint) => checkpoint.metrics.nmse[worstRow(checkpoint)]!))
  const bitEqual = verdict.exitCode === EXIT.ok && differing === undefined && greedy?.kind !== 'tie'
  const fine = bitEqual ? 'equal' : 'within'
  return {
    ...way,
    outcome: verdict.exitCode === EXIT.ok ? fine : badOutcome(verdict),
    exitCode: verdict.exitCode,
    nmse,
    ...(first !== undefined && { first: { checkpoint: first.checkpoint, position: first.position } }),
    message: verdict.line,
  }
}

function badOutcome({ outcome, exitCode }: Comparison['verdict']): Cell['outcome'] {
  if (exitCode === EXIT.judgedFailed) return 'differs'
  if (outcome === 'not-shown' || outcome === 'partial') return 'not-shown'
  return exitCode === EXIT.notComparable ? 'not-comparable' : 'untrusted'
}

function firstDifference(checkpoints: Comparison['checkpoints']) {
  for (const { name, positions, metrics } of checkpoints) {
    const row = metrics.max_abs.findIndex((difference, row) => difference !== 0 || metrics.max_ulp[row] !== 0)
    if (row !== -1) return { checkpoint: name, position: positions[row]! }
  }
  return undefined
}

/**
 * A recording whose prompt is the base's and the first tokens that the base generated, told as the base's own prompt: what the base
 * decoded was prefilled here.
 */
export function asContinued(recording: Recording, base: RecordedRun): Recording {
  const [run] = recording.runs
  const prompt = base.identity.promptTokenIds!
  const all = [...run!.identity.promptTokenIds!, ...(run!.identity.generatedTokenIds ?? [])]
  const generatedTokenIds = all.slice(prompt.length)
  const identity = { ...run!.identity, promptTokenIds: prompt, generatedTokenIds }
  const { id, checkpoints } = run!
  return { ...recording, runs: [{ id, checkpoints, identity, greedy: { tokenIds: generatedTokenIds } }] }
}
