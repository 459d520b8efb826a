import {
  type ComparedCheckpoint,
  type Divergence,
  type LocalErrors,
  METRIC_NAMES,
  type MetricName,
  type ProfileName,
} from '../comparison/comparison.ts'
import type { MeasuredCheckpoint } from '../metrics/compare-rows.ts'
import { greedyNoise, noiseFloor, tolerance } from './ladder.ts'
import type { firstFault, ReplayedCheckpoint } from './local-replay.ts'
import { LEAD_NOISE, type OfKind } from './noise-floors.ts'

/** How deep a model is, and what noise models of its kind have. */
export interface Depth {
  readonly layers: number
  /** Of models of its kind; undefined where none was measured. */
  readonly floors: OfKind | undefined
}

/** An error that grows more than that from its beginning to where it exceeds was not that error. */
const GROWTH = 1e4
/** How much above everything computed before it an error must stand to have begun there. */
const JUMP = 30

/** Sets every row against the tolerance of its op. `rounding`: mean square by which values may be off for having been printed. */
export function judge(
  measured: readonly MeasuredCheckpoint[],
  profile: ProfileName,
  { layers, floors }: Depth,
  rounding: number,
  replayed: readonly ReplayedCheckpoint[],
): ComparedCheckpoint[] {
  return measured.map(({ sizes, lostLeads, ...checkpoint }) => {
    const bound = tolerance(profile, checkpoint.op, checkpoint.layer ?? layersBefore(checkpoint, layers), floors)
    const local = localErrors(checkpoint, replayed)
    const { nmse, max_ulp: ulp, max_abs: largest } = checkpoint.metrics
    const exceeding: number[] = []
    for (let row = 0; row < nmse.length; row++) {
      // Not `nmse > bound`: a NaN exceeds everything.
      const within =
        profile === 'bit-exact'
          ? ulp[row] === 0 && largest[row] === 0
          : nmse[row]! <= bound || (rounding > 0 && nmse[row]! * sizes[row]! <= bound * sizes[row]! + rounding)
      const lost = lostLeads?.[row] ?? 0
      const faulty = local !== undefined && local.nmse[row]! > local.tolerances[row]!
      if (faulty || !within || (lost > 0 && lost > leadNoise(checkpoint, row) + 2 * Math.sqrt(rounding)))
        exceeding.push(row)
    }
    return { ...checkpoint, tolerance: bound, exceeding: Uint32Array.from(exceeding), ...(local && { local }) }
  })
}

/** Those of the positions that were compared. */
function localErrors(
  { name, positions }: Pick<ComparedCheckpoint, 'name' | 'positions'>,
  replayed: readonly ReplayedCheckpoint[],
): LocalErrors | undefined {
  const own = replayed.find(({ node }) => node.name === name)
  if (own === undefined) return undefined
  const rows = new Map(Array.from(own.positions, (position, row) => [position, row]))
  const at = (errors: Float64Array) =>
    Float64Array.from(positions, (position) => errors[rows.get(position) ?? -1] ?? Number.NaN)
  return { nmse: at(own.nmse), tolerances: at(own.tolerances) }
}

/** Where the candidate's own op is at fault, whatever it was given. */
export function localDivergence(
  { node, position, nmse, tolerance }: NonNullable<ReturnType<typeof firstFault>>,
  checkpoints: readonly ComparedCheckpoint[],
): Omit<Divergence, 'origin'> {
  const compared = checkpoints.find(({ name }) => name === node.name)
  const row = compared?.positions.indexOf(position) ?? -1
  // Of what only the candidate holds, there is nothing but how far it is from its own inputs.
  const alone: Partial<Record<MetricName, number>> = { nmse, relative_l2: Math.sqrt(nmse) }
  const metrics = METRIC_NAMES.map((name) => [
    name,
    row === -1 ? (alone[name] ?? Number.NaN) : compared!.metrics[name][row]!,
  ])
  return {
    checkpoint: node.name,
    layer: node.layer,
    op: node.op,
    position,
    metrics: Object.fromEntries(metrics) as Record<MetricName, number>,
    tolerance: compared?.tolerance ?? tolerance,
    local: { nmse, tolerance },
  }
}

/** How many times the noise of a lead, which is three standard deviations, a lead must be for noise not to turn it around. */
const SURE_LEAD = 3

/**
 * The lead that noise may turn around at a row of logits, by the errors of that row: without the largest, which a single wrong logit
 * would make. Never less than what float32 arithmetic makes.
 */
function leadNoise({ metrics, compared }: Pick<MeasuredCheckpoint, 'metrics' | 'compared'>, row: number): number {
  const others = metrics.mean_abs[row]! * compared - metrics.max_abs[row]!
  const usual = compared > 1 ? Math.max(0, others) / (compared - 1) : 0
  return SURE_LEAD * Math.max(LEAD_NOISE * usual, greedyNoise('float32'))
}

const layersBefore = ({ op }: Pick<MeasuredCheckpoint, 'op'>, layers: number) => (op === 'token_embd' ? 0 : layers)

/**
 * The first checkpoint, in the order of computation and then of positions, that exceeds its tolerance, or the one shortly before it
 * where its error began: above the measured noise, below the tolerance, and far above all that came before.
 */
export function firstDivergence(
  checkpoints: readonly ComparedCheckpoint[],
  profile: ProfileName,
  depth: Depth,
): Omit<Divergence, 'origin'> | undefined {
  const at = checkpoints.findIndex(({ exceeding }) => exceeding.length > 0)
  if (at === -1) return undefined
  const exceeding = checkpoints[at]!
  const onset = findOnset(checkpoints.slice(0, at + 1), exceeding.exceeding, profile, depth)
  const { checkpoint, row } = onset ?? { checkpoint: exceeding, row: exceeding.exceeding[0]! }
  const metrics = Object.fromEntries(METRIC_NAMES.map((name) => [name, checkpoint.metrics[name][row]!]))
  return {
    checkpoint: checkpoint.name,
    layer: checkpoint.layer,
    op: checkpoint.op,
    position: checkpoint.positions[row]!,
    metrics: metrics as Record<MetricName, number>,
    tolerance: checkpoint.tolerance,
  }
}

function findOnset(
  checkpoints: readonly ComparedCheckpoint[],
  exceeding: Uint32Array,
  profile: ProfileName,
  { layers, floors }: Depth,
): { checkpoint: ComparedCheckpoint; row: number } | undefined {
  const last = checkpoints.at(-1)!
  const positions = new Set(Array.from(exceeding, (row) => last.positions[row]!))
  let before = 0
  const beyond = exceeding.reduce((most, row) => Math.max(most, last.metrics.nmse[row]!), 0) / GROWTH
  for (const [index, checkpoint] of checkpoints.entries()) {
    const { nmse } = checkpoint.metrics
    const floor = noiseFloor(profile, checkpoint.op, checkpoint.layer ?? layersBefore(checkpoint, layers), floors)
    // Where all before is equal to the last bit, so would this be: engines of one kind make no noise.
    const quiet = before === 0 && index >= QUIET
    const limit = Math.max(beyond, quiet ? 0 : Math.max(floor, JUMP * before))
    const row = nmse.findIndex((error, row) => error > limit && positions.has(checkpoint.positions[row]!))
    if (row !== -1) return { checkpoint, row }
    for (const error of nmse) if (error > before) before = error
  }
  return undefined
}

/** So many checkpoints must be equal to the last bit before that says anything: token_embd always is. */
const QUIET = 4
