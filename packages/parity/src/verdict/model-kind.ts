import type { ReferenceModel } from '@plumbline/reference'
import type { Aligned } from '../alignment/align.ts'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import type { RecordedRun } from '../recording/recording.ts'

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
