import { EXIT, type ExitCode } from '@plumbline/protocol'
import { compare } from '../comparison/compare.ts'
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
  /** `equal`: bit for bit. `within`: not by more than the noise of its arithmetic. */
  readonly outcome: 'equal' | 'within' | 'differs' | 'not-comparable' | 'untrusted'
  readonly exitCode: ExitCode
  /** The most of any row. */
  readonly nmse: number
  /** Where the first value that is not the same is: of what exceeds the noise, if anything does. */
  readonly first?: { readonly checkpoint: string; readonly position: number }
  readonly message: string
}

/**
 * An exact cell must be the base bit for bit; a fast one within the ladder. A served request holds logits at fewer positions than
 * the base: what both hold is compared.
 */
export function judgeCell(way: Way, recording: Recording, base: Recording): Cell {
  const profile = way.precision === 'exact' ? { profile: 'bit-exact' as const } : {}
  const { verdict, divergence, checkpoints, greedy } = compare(recording, base, { ...profile, allowPartial: true })
  const differing = firstDifference(checkpoints)
  const first = divergence === undefined ? differing : divergence
  const nmse = Math.max(0, ...checkpoints.map((checkpoint) => checkpoint.metrics.nmse[worstRow(checkpoint)]!))
  const bitEqual = verdict.exitCode === EXIT.ok && differing === undefined && greedy?.kind !== 'tie'
  const fine = bitEqual ? 'equal' : 'within'
  return {
    ...way,
    outcome: verdict.exitCode === EXIT.ok ? fine : badOutcome(verdict.exitCode),
    exitCode: verdict.exitCode,
    nmse,
    ...(first !== undefined && { first: { checkpoint: first.checkpoint, position: first.position } }),
    message: verdict.line,
  }
}

function badOutcome(exitCode: ExitCode): Cell['outcome'] {
  if (exitCode === EXIT.judgedFailed) return 'differs'
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
