import type { ReferenceModel } from '@plumbline/reference'
import type { Aligned } from '../alignment/align.ts'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { atLeast, measuredFloors } from './ladder.ts'
import type { OfKind } from './noise-floors.ts'
import type { OpEvidence } from './op-evidence.ts'
import { simulateNoise } from './simulated-noise.ts'

/**
 * What coarse arithmetic makes of a model depends on its size: so many layers of such a width, e.g. 30x576. By the model, or by what the
 * reference holds, or states: never by what the candidate states. Undefined where that does not tell.
 */
export function modelKind({ reference }: Aligned, model?: ReferenceModel): string | undefined {
  if (model !== undefined) return kindOf(model.config.layers, model.config.embeddingLength)
  const { run } = reference
  const layers = recordedLayers(run) ?? run.identity.layers
  const width = run.checkpoints.get('output_norm')?.width ?? run.checkpoints.get('blk.0.output')?.width
  const stated = width ?? run.identity.embeddingLength
  return layers === undefined || stated === undefined ? undefined : kindOf(layers, stated)
}

const kindOf = (layers: number, width: number) => `${layers}x${width}`

function recordedLayers({ checkpoints }: RecordedRun): number | undefined {
  const layers = Array.from(checkpoints.keys(), (name) => checkpointPlace(name)?.layer ?? -1)
  const last = Math.max(-1, ...layers)
  return last === -1 ? undefined : last + 1
}

/** The noise that models of this kind have: as measured, else as this model shows on this prompt, else the most of all. */
export function floorsFor(
  aligned: Aligned,
  { profile, isWhole }: Pick<OpEvidence, 'profile' | 'isWhole'>,
  model: ReferenceModel | undefined,
): { floors: OfKind | undefined; unmeasured?: string } {
  const floors = measuredFloors(profile, modelKind(aligned, model))
  const ids = aligned.alignment.promptTokenIds
  // Where every op was shown to be right, what they make together needs no narrow bound.
  if (floors !== undefined || profile !== 'quantised-activations' || isWhole || ids.length === 0) return { floors }
  if (model === undefined || ids.some((id) => id >= model.vocabSize)) {
    const unmeasured =
      'no model of this size was measured: allowed is the most noise of any; with the model, its own would be'
    return { floors, unmeasured }
  }
  const unmeasured = "allowed is the noise that this model's own 8-bit arithmetic makes of the prompt"
  return { floors: simulateNoise(model, ids), unmeasured }
}

/**
 * No less than `floors`, and the noise that the sides' own ways of rounding make of the prompt: one step for a whole row makes more than any
 * that was measured. Only for a candidate whose every op is right; undefined where that is no more, or cannot be told.
 */
export function ownFloors(
  aligned: Aligned,
  { profile, arithmetic, replayed }: OpEvidence,
  floors: OfKind | undefined,
  model: ReferenceModel | undefined,
): OfKind | undefined {
  const ids = aligned.alignment.promptTokenIds
  const ways = [arithmetic.candidate, arithmetic.reference].filter((way) => way !== undefined)
  if (profile !== 'quantised-activations' && profile !== 'float16') return undefined
  if (model === undefined || replayed.length === 0 || ids.length === 0 || ids.some((id) => id >= model.vocabSize)) {
    return undefined
  }
  return atLeast(simulateNoise(model, ids, ways), profile, floors)
}
