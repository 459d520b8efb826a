import type { Op, ProfileName } from '../comparison/comparison.ts'
import measured from './noise-floors.json' with { type: 'json' }
import { type MeasuredFloors, type NoisyProfile, stepOf } from './noise-floors.ts'

// noise-floors.json is what `pnpm --filter @plumbline/parity measure-noise` writes: floors of honest runs, never edited by hand.
const FLOORS: Readonly<Record<NoisyProfile, MeasuredFloors>> = measured.profiles

/**
 * How far above the largest noise that was measured a difference is still noise: other models and prompts than those measured make
 * more of it. The coarser the arithmetic, the less room there is between its noise and a mistake.
 */
const MARGINS: Readonly<Record<NoisyProfile, number>> = { float32: 10, float16: 10, 'quantised-activations': 4 }

/** The noise floor of an op as it was measured, as NMSE; 0 under bit-exact. `layer`: for what follows the layers, their number. */
export function noiseFloor(profile: ProfileName, op: Op, layer: number): number {
  return profile === 'bit-exact' ? 0 : (FLOORS[profile].nmse[op]?.[stepOf(layer)] ?? 0)
}

/** The most NMSE that is still noise. */
export function tolerance(profile: ProfileName, op: Op, layer: number): number {
  return profile === 'bit-exact'
    ? 0
    : Math.max(LEAST, Number((noiseFloor(profile, op, layer) * MARGINS[profile]).toPrecision(3)))
}

/** Where nothing is computed (embeddings are looked up), another way to dequantise may still round another way. */
const LEAST = 1e-13

/** The lead of a first token over a second that noise alone can turn around, in logits. */
export function greedyNoise(profile: ProfileName): number {
  return profile === 'bit-exact' ? 0 : FLOORS[profile].greedy_noise * MARGINS[profile]
}
