import { LAYER_CHECKPOINTS } from '@plumbline/protocol'
import type { Op } from './comparison.ts'

export interface CheckpointPlace {
  /** null for what belongs to no layer. */
  readonly layer: number | null
  readonly op: Op
  /** Grows in the order of computation. */
  readonly order: number
}

const IN_LAYER = new Map<string, number>(LAYER_CHECKPOINTS.map((op, index) => [op, index]))
const LAYER_STRIDE = LAYER_CHECKPOINTS.length
const AFTER_LAYERS = 1e9

/** Where in the forward pass a checkpoint stands; undefined for a name that is none of `checkpointNames`. */
export function checkpointPlace(name: string): CheckpointPlace | undefined {
  if (name === 'token_embd') return { layer: null, op: name, order: -1 }
  if (name === 'output_norm') return { layer: null, op: name, order: AFTER_LAYERS }
  if (name === 'logits') return { layer: null, op: name, order: AFTER_LAYERS + 1 }
  const match = /^blk\.(\d{1,6})\.(\w+)$/.exec(name)
  const index = match === null ? undefined : IN_LAYER.get(match[2]!)
  if (match === null || index === undefined) return undefined
  const layer = Number(match[1])
  return { layer, op: match[2] as Op, order: layer * LAYER_STRIDE + index }
}

/** Names in the order of computation; those that are none of `checkpointNames` are left out. */
export function inOrderOfComputation(names: Iterable<string>): string[] {
  return [...names]
    .map((name) => [name, checkpointPlace(name)?.order] as const)
    .filter((entry): entry is readonly [string, number] => entry[1] !== undefined)
    .sort((a, b) => a[1] - b[1])
    .map(([name]) => name)
}
