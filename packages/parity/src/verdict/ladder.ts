import type { Op, ProfileName } from '../comparison/comparison.ts'
import measured from './noise-floors.json' with { type: 'json' }
import { type MeasuredFloors, type NoisyProfile, type OfKind, stepOf } from './noise-floors.ts'

// noise-floors.json is what `pnpm --filter @plumbline/parity measure-noise` writes: floors of honest runs, never edited by hand.
const FLOORS: Readonly<Record<NoisyProfile, MeasuredFloors>> = measured.profiles

/**
 * How far above the largest noise that was measured a difference is still noise: other models and prompts than those measured make
 * more of it. The coarser the arithmetic, the less room there is between its noise and a mistake.
 */
const MARGINS: Readonly<Record<NoisyProfile, number>> = { float32: 10, float16: 10, 'quantised-activations': 4 }

/**
 * The noise floor of an op as it was measured, as NMSE; 0 under bit-exact. `layer`: for what follows the layers, their number. `floors`: of models
 * of one kind, in the place of the most of all.
 */
export function noiseFloor(profile: ProfileName, op: Op, layer: number, floors?: OfKind): number {
  return profile === 'bit-exact' ? 0 : ((floors ?? FLOORS[profile]).nmse[op]?.[stepOf(layer)] ?? 0)
}

/** What was measured of models of a kind, as `modelKind` says; undefined where none were, or the profile has one floor for all. */
export function measuredFloors(profile: ProfileName, kind: string | undefined): OfKind | undefined {
  return profile === 'bit-exact' || kind === undefined ? undefined : FLOORS[profile].kinds?.[kind]
}

/** What was measured, of models of a kind or of all, where `own` is not more. */
export function atLeast(own: OfKind, profile: NoisyProfile, measured: OfKind = FLOORS[profile]): OfKind {
  const nmse = Object.entries(measured.nmse).map(([op, floors]) => [
    op,
    floors.map((floor, step) => Math.max(floor, own.nmse[op]?.[step] ?? 0)),
  ])
  return { ...own, nmse: Object.fromEntries(nmse), greedy_noise: Math.max(measured.greedy_noise, own.greedy_noise) }
}

/**
 * Where the measured runs computed nothing (embeddings are looked up) others still round: to float32, to F16, or to the 8 bits of
 * BF16, which is compared with quantised activations.
 */
const LEAST: Readonly<Record<NoisyProfile, number>> = { float32: 1e-13, float16: 1e-7, 'quantised-activations': 1e-5 }

/** The most NMSE that is still noise. */
export function tolerance(profile: ProfileName, op: Op, layer: number, floors?: OfKind): number {
  if (profile === 'bit-exact') return 0
  return Math.max(LEAST[profile], Number((noiseFloor(profile, op, layer, floors) * MARGINS[profile]).toPrecision(3)))
}

/**
 * The most NMSE by which a right op may be off from what its own inputs give when it is replayed with their rounding. `layer`: behind ops
 * that were replayed, too, and may have a value on the other side of a tie. `weightsAreRounded`: those of attention, which have ties of their own.
 * Of honest runs (the worker's fast and exact, llama.cpp, the oracle in every rounding, on six models) the most was 6e-13, 8e-5 and 4e-9.
 */
export function replayTolerance(op: Op | 'layer', weightsAreRounded: boolean): number {
  if (op === 'layer') return 3e-4
  return op === 'attn_kqv' && weightsAreRounded ? 1e-7 : 1e-11
}

/** The lead of a first token over a second that noise alone can turn around, in logits. */
export function greedyNoise(profile: ProfileName, floors?: OfKind): number {
  return profile === 'bit-exact' ? 0 : (floors ?? FLOORS[profile]).greedy_noise * MARGINS[profile]
}
