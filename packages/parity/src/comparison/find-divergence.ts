import type { ReferenceModel } from '@plumbline/reference'
import type { Aligned, AlignedSide } from '../alignment/align.ts'
import type { RunPair } from '../alignment/match-runs.ts'
import { stretchAt } from '../alignment/row-cover.ts'
import { diagnose } from '../diagnosis/diagnose.ts'
import type { MeasuredCheckpoint } from '../metrics/compare-rows.ts'
import type { Recording } from '../recording/recording.ts'
import { layerCount } from '../verdict/coverage.ts'
import { firstDivergence, judge, localDivergence } from '../verdict/divergence.ts'
import { holdOps, inEitherOrder, isOffAlike } from '../verdict/held-ops.ts'
import { firstFault } from '../verdict/local-replay.ts'
import { floorsFor, ownFloors } from '../verdict/model-floors.ts'
import type { OfKind } from '../verdict/noise-floors.ts'
import { type EvidenceOptions, examineOps, type OpEvidence } from '../verdict/op-evidence.ts'
import { printedRounding } from '../verdict/printed-rounding.ts'
import type { ComparedCheckpoint, Divergence } from './comparison.ts'

/** What was measured, judged: by the ladder, and by what the model makes of each op's own inputs. */
export interface Judgement {
  readonly evidence: OpEvidence
  readonly floors: OfKind | undefined
  /** Why the floors are not those of models of this size. */
  readonly unmeasured?: string
  readonly checkpoints: ComparedCheckpoint[]
  readonly divergence?: Divergence
  /** Whether the sides' values are the same within the ladder. */
  readonly agrees: boolean
  /** What of the candidate's ops was not held to the model, in words. */
  readonly unchecked: readonly string[]
}

/** Where the sides part, or both of them from the model. `runs`: all of the candidate's recording. */
export function findDivergence(
  aligned: Aligned,
  pair: RunPair,
  measured: readonly MeasuredCheckpoint[],
  { runs }: Recording,
  options: EvidenceOptions,
): Judgement {
  const { model } = options
  const evidence = examineOps(aligned, pair, options)
  const { profile, replayed, arithmetic } = evidence
  const { floors: ofItsKind, unmeasured } = floorsFor(aligned, evidence, model)
  const printed = printedRounding(pair.candidate) + printedRounding(pair.reference)
  const judgedBy = (floors: OfKind | undefined) => {
    const depth = { layers: layerCount(aligned), floors }
    const judgedWith = (replays: OpEvidence['replayed']) => judge(measured, profile, depth, printed, replays)
    return { floors, judgedWith, first: firstDivergence(judgedWith([]), profile, depth) }
  }
  let judged = judgedBy(ofItsKind)
  if (judged.first !== undefined && firstFault(replayed) === undefined) {
    const own = ownFloors(aligned, evidence, ofItsKind, model)
    if (own !== undefined) judged = judgedBy(own)
  }
  const { floors, judgedWith, first } = judged
  const shared = { evidence, floors, ...(unmeasured !== undefined && { unmeasured }), agrees: first === undefined }

  const isFine = profile === 'float32' || profile === 'bit-exact'
  const isComparable = aligned.alignment.refusals.length === 0
  const held =
    isFine && isComparable && first === undefined && replayed.length === 0 && model !== undefined
      ? inEitherOrder([aligned.candidate.run, aligned.reference.run], model, (run) => holdOps(run, model))
      : undefined
  const unchecked = held?.found.unchecked ?? []
  const replays = held?.found.replayed ?? replayed
  const fault = firstFault(replays)
  const checkpoints = judgedWith(fault === undefined ? replayed : replays)
  const parted = fault === undefined ? first : localDivergence(fault, checkpoints)
  if (parted === undefined) return { ...shared, checkpoints, unchecked }

  const [candidate, reference] = held?.runs ?? [aligned.candidate.run, aligned.reference.run]
  const sides = {
    candidate: { run: candidate!, arithmetic: held?.found.arithmetic ?? arithmetic.candidate },
    reference: { run: reference!, arithmetic: held?.found.arithmetic ?? arithmetic.reference },
  }
  const isOfBoth =
    fault !== undefined &&
    model !== undefined &&
    isOffAlike(sides.candidate, sides.reference, model, fault.node, fault.position)
  const others = runs.filter(({ id }) => id !== candidate!.id)
  const divergence = explain(parted, aligned.candidate, sides, isOfBoth, { model, others })
  return { ...shared, checkpoints, unchecked, divergence }
}

interface ReplayedSide {
  readonly run: Recording['runs'][number]
  readonly arithmetic: OpEvidence['arithmetic']['candidate']
}

/** Where it is at fault, and what it did instead: of sides as they are in GGUF's layout. */
function explain(
  first: Omit<Divergence, 'origin'>,
  aligned: AlignedSide,
  { candidate, reference }: { readonly candidate: ReplayedSide; readonly reference: ReplayedSide },
  isOfBoth: boolean,
  { model, others }: { readonly model: ReferenceModel | undefined; readonly others: Recording['runs'] },
): Divergence {
  const phase = phaseAt(aligned, first.checkpoint, first.position)
  // A reference that is as wrong has nothing to say of what would be right.
  const right = isOfBoth ? candidate : reference
  const { origin, side, cause } = diagnose({
    candidate: candidate.run,
    reference: right.run,
    divergence: { ...first, ...(first.local && { tolerance: first.local.tolerance }) },
    model,
    arithmetic: { candidate: candidate.arithmetic, reference: right.arithmetic },
    others,
  })
  return {
    ...first,
    ...(phase !== undefined && { phase }),
    ...(first.local === undefined
      ? { origin, ...(side !== undefined && { side }) }
      : { origin: 'local' as const, side: isOfBoth ? ('both' as const) : ('candidate' as const) }),
    ...(cause !== undefined && { cause }),
  }
}

function phaseAt({ run, covers }: AlignedSide, name: string, position: number) {
  const cover = covers.get(name)
  const stretch = cover === undefined ? undefined : stretchAt(cover.stretches, position)
  return stretch === undefined ? undefined : run.checkpoints.get(name)!.slab(stretch.slab).phase
}
