import type { ReferenceModel } from '@plumbline/reference'
import { fromHalves } from '../alignment/from-halves.ts'
import { Arithmetic, weightType } from '../arithmetic/arithmetic.ts'
import { type Inferred, inferArithmetic } from '../arithmetic/infer-arithmetic.ts'
import { NO_ROUNDING } from '../arithmetic/rounding.ts'
import type { GraphNode } from '../graph/graph.ts'
import { ifAtHand, OpSite } from '../graph/op-site.ts'
import { RecordedValues, recordedRows } from '../graph/recorded-values.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { firstFault, type ReplayedCheckpoint, recordedNodes, replayLocally, wholePositions } from './local-replay.ts'
import { statedRounding, whyNotReplayed } from './op-evidence.ts'

/** Multiplications that are spent on one run. */
const MOST = 2 ** 32
/** Rows of each op that are worth looking at, at the least. */
const FEWEST_ROWS = 3
/** Ops that are named where they are left out. */
const NAMED = 3

/** Every op of a run of fine arithmetic, held to what the model file makes of its recorded inputs. */
export interface HeldOps {
  readonly replayed: readonly ReplayedCheckpoint[]
  readonly arithmetic: Arithmetic
  /** What was not looked at, in words. */
  readonly unchecked: readonly string[]
}

const UNROUNDED: Inferred = { arithmetic: new Arithmetic(() => NO_ROUNDING), families: [], familyOf: () => undefined }

/**
 * Two sides whose values are equal may both be wrong: each op of one of them is replayed on its own recorded inputs, as tightly as in coarse
 * arithmetic. Where the matrices are not those of the file, or rounded in an unknown way, that is no mistake of either side, and is said. The
 * run must be in GGUF's own layout. `most`: multiplications that may be spent.
 */
export function holdOps(run: RecordedRun, model: ReferenceModel, most = MOST): HeldOps {
  const why = whyNotReplayed(run, model)
  if (why !== undefined) return { replayed: [], arithmetic: UNROUNDED.arithmetic, unchecked: [`ops: ${why}`] }
  const nodes = recordedNodes(run, model).filter(({ inputs }) => inputs.every((name) => run.checkpoints.has(name)))
  const { chosen, rows, unchecked } = affordable(run, model, nodes, most)
  if (!nodes.some(({ layer }) => layer !== null)) {
    unchecked.push('ops: none within the layers was recorded with its inputs, so a mistake of both sides may be hidden')
  }
  const replayed = replayLocally(run, model, UNROUNDED, { nodes: chosen, rows })
  if (firstFault(replayed) === undefined) return { replayed, arithmetic: UNROUNDED.arithmetic, unchecked }

  const inferred = inferArithmetic(run, model, statedRounding(run)) ?? UNROUNDED
  const foreign = foreignWeights(inferred)
  const isForeign = (node: GraphNode) => {
    const site = new OpSite(new RecordedValues(run, model), node, 0, 1)
    if (node.op === 'attn_kqv') return inferred.families.some((f) => f.kind === 'attention' && f.explained !== 'known')
    return node.op === 'token_embd' || (site.linear() !== undefined && foreign.includes(weightType(site)))
  }
  const known = foreign.length === 0 ? chosen : chosen.filter((node) => !isForeign(node))
  if (known.length < chosen.length) {
    const types = foreign.join(' and ')
    unchecked.push(
      `ops with ${types} weights: those of the model file are others, or are multiplied in an unknown way, so small mistakes of both sides may be hidden`,
    )
  }
  const again = replayLocally(run, model, inferred, { nodes: known, rows })
  return { replayed: again, arithmetic: inferred.arithmetic, unchecked }
}

/** Types of weights whose ops are off in the usual row of every phase, whatever the rounding. */
function foreignWeights({ families }: Inferred): string[] {
  const matrices = families.filter(({ kind }) => kind !== 'attention' && kind !== 'layers')
  const kinds = [...new Set(matrices.map(({ kind }) => kind))]
  return kinds.filter((kind) => matrices.every((family) => family.kind !== kind || family.explained !== 'known'))
}

/** As much as is worth its time: all rows of all ops, else some rows, else no rows of the largest ops. */
function affordable(run: RecordedRun, model: ReferenceModel, nodes: readonly GraphNode[], most: number) {
  const positions = new Map(nodes.map((node) => [node.name, wholePositions(run.checkpoints.get(node.name)!)]))
  const longest = Math.max(0, ...[...positions.values()].map(({ length }) => length))
  let step = 1
  const rows = (name: string) => everyNth(positions.get(name)!, step)
  const sizes = new Map(nodes.map((node) => [node.name, multiplications(model, node)]))
  const cost = ({ name, op }: GraphNode) =>
    op === 'attn_kqv' ? attentionCost(model, rows(name)) : rows(name).length * sizes.get(name)!
  while (longest / step > FEWEST_ROWS && nodes.reduce((sum, node) => sum + cost(node), 0) > most) step *= 2
  let spent = 0
  const left: string[] = []
  const chosen = new Set<GraphNode>()
  // The cheapest first: what a matrix costs is known, what it would show is not.
  const costs = nodes.map((node) => ({ node, price: cost(node) }))
  for (const { node, price } of costs.toSorted((a, b) => a.price - b.price)) {
    spent += price
    if (spent <= most) chosen.add(node)
    else left.push(node.name)
  }
  const unchecked: string[] = []
  if (step > 1)
    unchecked.push(`ops at ${longest - Math.ceil(longest / step)} of ${longest} positions, since there are so many`)
  if (left.length > 0) {
    const named = left.length <= NAMED ? left : [...left.slice(0, NAMED), `and ${left.length - NAMED} more`]
    unchecked.push(`${named.join(', ')}: the model is too large for it`)
  }
  return { chosen: nodes.filter((node) => chosen.has(node)), rows, unchecked }
}

/** Every so many, the last among them. */
function everyNth(positions: Uint32Array, step: number): Uint32Array {
  return step === 1 ? positions : positions.filter((_, index) => (positions.length - 1 - index) % step === 0)
}

/** Multiplications, or so, at all of some positions. */
function attentionCost({ config }: ReferenceModel, positions: Uint32Array): number {
  const each = config.heads * (config.keyLength + config.valueLength)
  return positions.reduce((sum, position) => sum + (position + 1) * each, 0)
}

/** Of one row of a matrix: its size; of others, none. */
export function multiplications(model: ReferenceModel, node: GraphNode): number {
  const values = { tokenIds: [], others: [], model, rows: () => new Float64Array(0) }
  return new OpSite(values, node, 0, 1).linear()?.weight.length ?? 0
}

/** Of what an op is off by, the share that two sides that are off alike may differ in. */
const UNLIKE = 0.25

interface HeldSide {
  readonly run: RecordedRun
  readonly arithmetic: Arithmetic | undefined
}

/** Whether what one side's op is off by from what its own inputs give, the other's is off by, too. */
export function isOffAlike(
  a: HeldSide,
  b: HeldSide,
  model: ReferenceModel,
  node: GraphNode,
  position: number,
): boolean {
  const [ours, theirs] = [a, b].map((side) => deviation(side, model, node, position))
  if (ours === undefined || theirs === undefined || ours.length !== theirs.length) return false
  const squares = (values: Float64Array) => values.reduce((sum, value) => sum + value * value, 0)
  return squares(ours.map((value, i) => value - theirs[i]!)) <= UNLIKE ** 2 * squares(ours)
}

function deviation(
  { run, arithmetic }: HeldSide,
  model: ReferenceModel,
  node: GraphNode,
  position: number,
): Float64Array | undefined {
  const recorded = recordedRows(run, node.name, position, 1)
  const source = new RecordedValues(run, model, undefined, { arithmetic })
  const right = recorded && ifAtHand(() => new OpSite(source, node, position, 1).right())
  return right && recorded.map((value, i) => value - right[i]!)
}

/**
 * What is found in the first of some runs, as they are, or, where that is a fault, as if all of them had queries and keys in halves: sides that
 * do not state their order may have.
 */
export function inEitherOrder(
  runs: readonly RecordedRun[],
  model: ReferenceModel,
  find: (run: RecordedRun) => HeldOps,
): { runs: readonly RecordedRun[]; found: HeldOps } {
  const found = find(runs[0]!)
  const faults = ({ replayed }: HeldOps) => replayed.filter((one) => firstFault([one]) !== undefined).length
  // What states halves was brought to GGUF's order already.
  if (faults(found) === 0 || runs.some(({ identity }) => identity.ropeOrder === 'halves')) return { runs, found }
  const mapped = runs.map((run) => fromHalves(run, model))
  const again = find(mapped[0]!)
  return faults(again) < faults(found) ? { runs: mapped, found: again } : { runs, found }
}
