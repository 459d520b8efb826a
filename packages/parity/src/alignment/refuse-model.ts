import type { ReferenceModel } from '@plumbline/reference'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import type { Op, Refusal } from '../comparison/comparison.ts'
import type { RecordedRun } from '../recording/recording.ts'

/** Why what a side recorded cannot be of the model that was given; undefined where nothing speaks against it. */
export function refuseModel(side: string, run: RecordedRun, model: ReferenceModel): Refusal | undefined {
  const why = disagreement(run, model)
  return why === undefined
    ? undefined
    : { kind: 'other-model', message: `the model that was given is not the ${side}'s: ${why}` }
}

function disagreement({ checkpoints, identity, greedy }: RecordedRun, model: ReferenceModel): string | undefined {
  const { layers } = model.config
  for (const [name, { width }] of checkpoints) {
    const place = checkpointPlace(name)
    if (place === undefined) continue
    if (place.layer !== null && place.layer >= layers) return `${name} was recorded, and the model has ${layers} layers`
    const own = widthOf(place.op, model)
    // 0: some columns alone were recorded, of nobody knows how many.
    if (width !== 0 && width !== own) return `${name} has ${width} values a row, and the model's ${own}`
  }
  const ids = [identity.promptTokenIds, identity.generatedTokenIds, greedy?.tokenIds]
  const strange = ids.flatMap((some) => some ?? []).find((id) => id >= model.vocabSize)
  return strange === undefined
    ? undefined
    : `there is a token ${strange}, and the model's vocabulary has ${model.vocabSize}`
}

/** Values that a row of a checkpoint has. */
function widthOf(op: Op, { config, vocabSize }: ReferenceModel): number {
  switch (op) {
    case 'logits':
      return vocabSize
    case 'attn_q':
    case 'attn_q_rope':
      return config.heads * config.keyLength
    case 'attn_k':
    case 'attn_k_rope':
      return config.kvHeads * config.keyLength
    case 'attn_v':
      return config.kvHeads * config.valueLength
    case 'attn_kqv':
      return config.heads * config.valueLength
    case 'ffn_gate':
    case 'ffn_up':
    case 'ffn_act':
      return config.feedForwardLength
    default:
      return config.embeddingLength
  }
}
