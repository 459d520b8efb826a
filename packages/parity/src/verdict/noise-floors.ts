import { LAYER_CHECKPOINTS } from '@plumbline/protocol'
import type { Op, ProfileName } from '../comparison/comparison.ts'
import type { MeasuredCheckpoint } from '../metrics/compare-rows.ts'

/** The profiles that have noise. */
export type NoisyProfile = Exclude<ProfileName, 'bit-exact'>

/** A floor holds for layers up to and including this one. */
export const LAYER_STEPS = [0, 1, 2, 4, 8, 16, 32] as const

/** Index into LAYER_STEPS; what lies beyond the last step has the last floor. */
export function stepOf(layer: number): number {
  const step = LAYER_STEPS.findIndex((last) => layer <= last)
  return step === -1 ? LAYER_STEPS.length - 1 : step
}

const OPS: readonly Op[] = ['token_embd', ...LAYER_CHECKPOINTS, 'output_norm', 'logits']

export interface MeasuredFloors extends OfKind {
  /** Of each kind of model that was measured; only of the profile whose noise depends on the model more than on the arithmetic. */
  readonly kinds?: Readonly<Record<string, OfKind>>
}

/** Of models of one kind, or of all. */
export interface OfKind {
  /** Honest pairs that were compared. */
  readonly pairs: number
  /** Largest NMSE of one row, by op and LAYER_STEPS. */
  readonly nmse: Readonly<Record<string, readonly number[]>>
  /** By how much the lead of one logit over another may be off, in the usual row. */
  readonly greedy_noise: number
}

/** Three standard deviations of the difference of two normal errors, in mean absolute errors of one: 3 sqrt(2) sqrt(pi / 2). */
export const LEAD_NOISE = 5.3

/** What is taken of a compared checkpoint. */
export type MeasuredErrors = Pick<MeasuredCheckpoint, 'op' | 'layer' | 'width' | 'compared'> & {
  readonly metrics: Pick<MeasuredCheckpoint['metrics'], 'nmse' | 'mean_abs'>
}

interface Measured {
  pairs: number
  /** Of each kind of model. */
  readonly kinds: Map<string, Measured>
  readonly nmse: Map<Op, number[]>
  readonly leads: number[]
}

/** The largest NMSE of a row that honest pairs showed, op by op, through the layers. */
export class NoiseFloors {
  readonly #profiles = new Map<NoisyProfile, Measured>()

  /** `layers`: of the model; what follows the layers counts as one more. `kind`: as `modelKind` says. */
  add(profile: NoisyProfile, measured: readonly MeasuredErrors[], layers: number, kind: string | undefined): void {
    const floors = this.#profiles.get(profile) ?? nothingMeasured()
    this.#profiles.set(profile, floors)
    addPair(floors, measured, layers)
    if (profile !== 'quantised-activations' || kind === undefined) return
    const ofKind = floors.kinds.get(kind) ?? nothingMeasured()
    floors.kinds.set(kind, ofKind)
    addPair(ofKind, measured, layers)
  }

  /** With two digits, never less than measured; no less than for the layers before. */
  floors(): Partial<Record<NoisyProfile, MeasuredFloors>> {
    return Object.fromEntries(
      [...this.#profiles].map(([profile, floors]) => {
        const kinds = [...floors.kinds].toSorted().map(([kind, ofKind]) => [kind, floorsOf(ofKind)] as const)
        return [profile, { ...floorsOf(floors), ...(kinds.length > 0 && { kinds: Object.fromEntries(kinds) }) }]
      }),
    )
  }
}

const nothingMeasured = (): Measured => ({ pairs: 0, kinds: new Map(), nmse: new Map(), leads: [] })

function addPair(floors: Measured, measured: readonly MeasuredErrors[], layers: number): void {
  floors.pairs++
  for (const { op, layer, metrics, compared, width } of measured) {
    const steps = floors.nmse.get(op) ?? new Array<number>(LAYER_STEPS.length).fill(0)
    floors.nmse.set(op, steps)
    const step = stepOf(layer ?? (op === 'token_embd' ? 0 : layers))
    for (const nmse of metrics.nmse) steps[step] = Math.max(steps[step]!, nmse)
    if (op !== 'logits' || compared !== width) continue
    for (const error of metrics.mean_abs) floors.leads.push(LEAD_NOISE * error)
  }
}

function floorsOf({ pairs, nmse, leads }: Measured): OfKind {
  const rows = OPS.filter((op) => nmse.has(op)).map((op) => {
    let most = 0
    const steps = nmse.get(op)!.map((floor) => {
      most = Math.max(most, roundUp(floor))
      return most
    })
    return [op, steps] as const
  })
  return { pairs, nmse: Object.fromEntries(rows), greedy_noise: roundUp(usual(leads)) }
}

/** The median: a shift of all logits alike makes some rows large, and turns no lead around. */
function usual(leads: readonly number[]): number {
  return leads.toSorted((a, b) => a - b)[Math.floor(leads.length * 0.5)] ?? 0
}

function roundUp(value: number): number {
  if (value === 0) return 0
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1)
  return Number((Math.ceil(value / unit) * unit).toPrecision(2))
}
