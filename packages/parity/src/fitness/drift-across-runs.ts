import { coverRows, stretchAt } from '../alignment/row-cover.ts'
import { commonPrefix } from '../alignment/token-ids.ts'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import type { UnfitFinding } from '../comparison/comparison.ts'
import type { RecordedRun } from '../recording/recording.ts'

const FEWEST_RUNS = 3
/** How much the scale of one row may grow from the first run of a prompt to the last. */
const MOST_GROWTH = 1.1
const MOST_FINDINGS = 3

/**
 * The same prompt again must give the same scale at the same position, whatever ran before. Where it grows or shrinks from run to run,
 * something is left over from one to the next.
 */
export function driftAcrossRuns(run: RecordedRun, all: readonly RecordedRun[]): UnfitFinding[] {
  const repeats = all.filter((other) => samePrompt(run, other))
  if (repeats.length < FEWEST_RUNS) return []
  const position = (run.identity.promptTokenIds?.length ?? 0) - 1
  const findings: UnfitFinding[] = []
  for (const name of run.checkpoints.keys()) {
    if (checkpointPlace(name) === undefined || findings.length >= MOST_FINDINGS) continue
    const scales = repeats.map((repeat) => scaleAt(repeat, name, position)).filter((scale) => scale !== undefined)
    if (scales.length < FEWEST_RUNS) continue
    const growing = scales.every((scale, index) => index === 0 || scale > scales[index - 1]!)
    const shrinking = scales.every((scale, index) => index === 0 || scale < scales[index - 1]!)
    const growth = Math.max(scales.at(-1)! / scales[0]!, scales[0]! / scales.at(-1)!)
    if (!(growing || shrinking) || !(growth > MOST_GROWTH)) continue
    findings.push({
      kind: 'drift',
      message: `its scale changes ${growth.toPrecision(3)}-fold over ${scales.length} runs of the same prompt`,
      checkpoint: name,
      position,
      ...run.checkpoints.get(name)!.slab(0).place,
    })
  }
  return findings
}

function samePrompt(a: RecordedRun, b: RecordedRun): boolean {
  const ours = a.identity.promptTokenIds
  const theirs = b.identity.promptTokenIds
  return ours !== undefined && ours.length === theirs?.length && commonPrefix(ours, theirs) === ours.length
}

/** Root mean square of a whole row; undefined where a run does not hold it. */
function scaleAt(run: RecordedRun, name: string, position: number): number | undefined {
  const checkpoint = run.checkpoints.get(name)
  const stretch = checkpoint === undefined ? undefined : stretchAt(coverRows(checkpoint).stretches, position)
  if (checkpoint === undefined || stretch === undefined) return undefined
  const slab = checkpoint.slab(stretch.slab)
  if (slab.coverage.kind !== 'all') return undefined
  const row = slab.read(position - slab.pos, 1)
  let squares = 0
  for (const value of row) squares += value * value
  return Math.sqrt(squares / row.length)
}
