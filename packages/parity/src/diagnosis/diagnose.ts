import { checkpointNames } from '@plumbline/protocol'
import { nmse, type ReferenceModel } from '@plumbline/reference'
import type { Arithmetic } from '../arithmetic/arithmetic.ts'
import type { Cause, Divergence } from '../comparison/comparison.ts'
import { type GraphNode, graphNode } from '../graph/graph.ts'
import { ifAtHand, OpSite } from '../graph/op-site.ts'
import { RecordedValues, recordedRows } from '../graph/recorded-values.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { type CauseQuestion, findCause } from './find-cause.ts'

export interface DiagnosisQuestion {
  readonly candidate: RecordedRun
  readonly reference: RecordedRun
  readonly divergence: Pick<Divergence, 'checkpoint' | 'position'> & Partial<Pick<Divergence, 'tolerance'>>
  /** Without it, nothing can be replayed. */
  readonly model: ReferenceModel | undefined
  /** What else the engines ran: one request's rows may have come from another's. */
  readonly others?: readonly RecordedRun[]
  /** How each side rounds what its ops read, where that is known. */
  readonly arithmetic?: { readonly candidate?: Arithmetic | undefined; readonly reference?: Arithmetic | undefined }
}

export interface Diagnosis {
  readonly origin: Divergence['origin']
  /** Whose op does not give what its own inputs should give, where the origin is local. */
  readonly side?: 'candidate' | 'reference'
  /** NMSE of each side's recorded output against the op replayed on that side's own recorded inputs. */
  readonly replayErrors?: { readonly candidate: number; readonly reference: number }
  /** Of the op at the divergence where that is local, of an op before it where it is inherited: the message says which. */
  readonly cause?: Cause
}

/** NMSE that is no more than float32 storage and summation, where no tolerance is given. */
const DEFAULT_TOLERANCE = 1e-10

/** How many ops before an inherited divergence are tried for its cause. */
const SUSPECTS = 3

/**
 * Whether the op at a divergence is at fault or only what came in, and what it did instead. Both by replaying it in float64: on each
 * side's own recorded inputs, and then wrongly in every way of the catalogue. Both runs must be in GGUF's own layout.
 */
export function diagnose(question: DiagnosisQuestion): Diagnosis {
  const { candidate, reference, divergence, model, others = [], arithmetic = {} } = question
  const node = model && graphNode(divergence.checkpoint, model.config.layers)
  if (model === undefined || node === undefined) return { origin: 'unknown' }
  const tolerance = divergence.tolerance || DEFAULT_TOLERANCE
  // Of either side, only what both recorded is believed: between those checkpoints lies "the op" that diverged.
  const isVisible = (name: string) => candidate.checkpoints.has(name) && reference.checkpoints.has(name)
  const { position } = divergence
  const sides = {
    candidate: replayed(candidate, model, node, position, isVisible, arithmetic.candidate),
    reference: replayed(reference, model, node, position, isVisible, arithmetic.reference),
  }
  if (sides.candidate === undefined || sides.reference === undefined) return { origin: 'unknown' }

  const replayErrors = { candidate: sides.candidate.error, reference: sides.reference.error }
  /** What the difference of the inputs alone makes of a right op. */
  const inherited = finite(nmse(sides.candidate.right, sides.reference.right))
  const side = replayErrors.candidate >= replayErrors.reference ? 'candidate' : 'reference'
  const shared = { position, model, isVisible, others }
  if (replayErrors[side] <= tolerance && replayErrors[side] < inherited) {
    const cause = findCauseBefore(node, {
      wrong: candidate,
      right: reference,
      ...shared,
      arithmetic: arithmetic.candidate,
    })
    return { origin: 'inherited', replayErrors, ...(cause && { cause }) }
  }
  const [wrong, right] = side === 'candidate' ? [candidate, reference] : [reference, candidate]
  const cause = findCause({ wrong, right, node, ...shared, arithmetic: arithmetic[side] })
  return { origin: 'local', side, replayErrors, ...(cause && { cause }) }
}

/** Among the ops on the way to a checkpoint, those that give least what their own inputs should give; the first that a mistake explains. */
function findCauseBefore(node: GraphNode, question: Omit<CauseQuestion, 'node'>): Cause | undefined {
  const { wrong, model, position, isVisible, arithmetic } = question
  const names = checkpointNames(model.config.layers)
  const suspects = names
    .slice(0, names.indexOf(node.name))
    .filter(isVisible)
    .map((name) => graphNode(name, model.config.layers)!)
    .map((before) => ({ before, error: replayed(wrong, model, before, position, isVisible, arithmetic)?.error ?? 0 }))
    .filter(({ error }) => error > DEFAULT_TOLERANCE)
    .toSorted((a, b) => b.error - a.error)
    .slice(0, SUSPECTS)
  for (const { before } of suspects) {
    const cause = findCause({ ...question, node: before })
    if (cause !== undefined && cause.confidence !== 'possible') return cause
  }
  return undefined
}

function replayed(
  run: RecordedRun,
  model: ReferenceModel,
  node: GraphNode,
  position: number,
  isVisible: (name: string) => boolean,
  arithmetic: Arithmetic | undefined,
): { right: Float64Array; error: number } | undefined {
  const recorded = recordedRows(run, node.name, position, 1)
  const source = new RecordedValues(run, model, isVisible, { arithmetic })
  const right = recorded && ifAtHand(() => new OpSite(source, node, position, 1).right())
  return right && { right, error: finite(nmse(recorded, right)) }
}

/** What cannot be measured is as far off as can be. */
function finite(error: number): number {
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error
}
