import type { RecordedRun, Recording } from '../recording/recording.ts'
import { commonPrefix, continuation } from './token-ids.ts'

export interface RunPair {
  readonly candidate: RecordedRun
  readonly reference: RecordedRun
}

/**
 * Which run of the reference each run of the candidate is set against: the one of the same prompt, repeats in their order. Where no
 * prompt is the same, the one with the longest common beginning, so that the refusal can show what differs.
 */
export function matchRuns(candidate: Recording, reference: Recording): readonly RunPair[] {
  const taken = new Map<RecordedRun, number>()
  return candidate.runs.map((run) => {
    const same = reference.runs.filter((other) => samePrompt(run, other))
    const pool = same.length > 0 ? same : reference.runs
    const fewest = Math.min(...pool.map((other) => taken.get(other) ?? 0))
    // Each repeat of a prompt meets another repeat, until there are none left.
    const fresh = same.length > 0 ? pool.filter((other) => (taken.get(other) ?? 0) === fewest) : pool
    const best = fresh.reduce((best, other) => (closeness(run, other) > closeness(run, best) ? other : best))
    taken.set(best, (taken.get(best) ?? 0) + 1)
    return { candidate: run, reference: best }
  })
}

function samePrompt(a: RecordedRun, b: RecordedRun): boolean {
  const ours = a.identity.promptTokenIds
  const theirs = b.identity.promptTokenIds
  return (
    ours !== undefined &&
    theirs !== undefined &&
    ours.length === theirs.length &&
    commonPrefix(ours, theirs) === ours.length
  )
}

function closeness(a: RecordedRun, b: RecordedRun): number {
  const ours = [...(a.identity.promptTokenIds ?? []), ...(continuation(a) ?? [])]
  return commonPrefix(ours, [...(b.identity.promptTokenIds ?? []), ...(continuation(b) ?? [])])
}
