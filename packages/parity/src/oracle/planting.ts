import { PlumblineError } from '@plumbline/protocol'
import type { ReferenceModel } from '@plumbline/reference'
import type { Op } from '../comparison/comparison.ts'
import { type GraphNode, graphNode } from '../graph/graph.ts'
import { MISTAKES } from '../mistakes/catalogue.ts'
import type { Mistake } from '../mistakes/mistake.ts'

export type Phase = 'prefill' | 'decode'

/** A mistake, and where in the forward pass it is made. */
export interface Planting {
  readonly mistake: Mistake
  readonly op: Op
  /** Every layer where it is undefined. */
  readonly layer?: number
  /** In the place of the one that the mistake itself plants. */
  readonly parameter?: number
  /** Both where it is undefined. */
  readonly phase?: Phase
}

export function isPlantedAt({ op, layer, phase }: Planting, node: GraphNode, at: Phase): boolean {
  return node.op === op && (layer === undefined || node.layer === layer) && (phase === undefined || phase === at)
}

/**
 * NAME[=VALUE][@PLACE][:prefill|decode], where VALUE is of mistakes such as rope-base=40000, and PLACE is a layer (2), an op (ffn_norm, logits), or an op of a layer (2.ffn_norm). Without an
 * op it is the mistake's first, without a layer all of them. INVALID_OPTION names the choices.
 */
export function parsePlanting(text: string, { config }: Pick<ReferenceModel, 'config'>): Planting {
  const [, name, value, place, phase] = /^([^@:=]*)(?:=([^@:]*))?(?:@([^:]*))?(?::(.*))?$/.exec(text) ?? []
  const mistake = MISTAKES.find((known) => known.name === name)
  if (mistake === undefined)
    throw invalid(text, `no such mistake; choose from ${MISTAKES.map((m) => m.name).join(', ')}`)
  const parameter = value === undefined ? undefined : Number(value)
  if (parameter !== undefined && mistake.estimate === undefined) throw invalid(text, `${name} takes no value`)
  if (value?.trim() === '' || Number.isNaN(parameter)) throw invalid(text, 'the value must be a number')
  if (phase !== undefined && phase !== 'prefill' && phase !== 'decode') {
    throw invalid(text, 'the phase must be prefill or decode')
  }
  const [, layerText, opText] = /^(?:blk\.)?(?:(\d+)(?:\.|$))?(.*)$/.exec(place ?? '') ?? []
  const layer = layerText === undefined ? undefined : Number(layerText)
  const op = opText
    ? mistake.ops.find((known) => known === opText)
    : mistake.ops.find((known) => layer === undefined || inLayer(known))
  if (op === undefined && !opText) throw invalid(text, `${name} befalls no layer, but ${mistake.ops.join(', ')}`)
  if (op === undefined) throw invalid(text, `${name} befalls ${mistake.ops.join(', ')}`)
  if (layer !== undefined && !inLayer(op)) throw invalid(text, `${op} is in no layer: leave the number out`)
  if (layer !== undefined && layer >= config.layers) {
    throw invalid(text, `the model has layers 0 to ${config.layers - 1}`)
  }
  return {
    mistake,
    op,
    ...(layer !== undefined && { layer }),
    ...(phase !== undefined && { phase }),
    ...(parameter !== undefined && { parameter }),
  }
}

function inLayer(op: Op): boolean {
  return graphNode(op, 1) === undefined
}

const invalid = (text: string, why: string) =>
  new PlumblineError('INVALID_OPTION', `--mistake is '${text}': ${why}`, { option: '--mistake' })
