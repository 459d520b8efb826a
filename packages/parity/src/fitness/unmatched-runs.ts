import { coverRun } from '../alignment/align.ts'
import type { UnfitFinding } from '../comparison/comparison.ts'
import { showRows } from '../metrics/compare-rows.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { contradictions } from './contradictions.ts'
import { Fitness } from './fitness.ts'

/** Fitness of runs that are compared with nothing: a recording is no more to be trusted than the least of its runs. */
export function unfitRuns(runs: readonly RecordedRun[]): UnfitFinding[] {
  return runs.flatMap((each) => {
    const { run, covers } = coverRun(each)
    const fitness = new Fitness(run, covers)
    for (const [name, { stretches, duplicates }] of covers) {
      const checkpoint = run.checkpoints.get(name)!
      for (const { start, end, slab } of stretches) showRows(fitness, name, checkpoint.slab(slab), start, end)
      for (const { slab } of duplicates) fitness.duplicate(name, checkpoint.slab(slab))
    }
    const findings = [...fitness.finish(), ...contradictions(run, covers)]
    return findings.map((finding) => ({ ...finding, message: `${finding.message} (in run ${run.id})` }))
  })
}
