import type { Op, ProfileName } from '../comparison/comparison.ts'
import ladder from './ladder.json' with { type: 'json' }

/** Largest NMSE of one position that honest runs showed at an op: in the first layer, and how much it grows with each. */
interface Floor {
  readonly first: number
  readonly per_layer: number
}

type Floors = Readonly<Record<string, Floor>>

const PROFILES: Readonly<Record<string, Floors>> = ladder.profiles

/** The measured noise floor of an op, as NMSE; 0 under bit-exact. */
export function noiseFloor(profile: ProfileName, op: Op, layer: number): number {
  if (profile === 'bit-exact') return 0
  const floors = PROFILES[profile]!
  const { first, per_layer: perLayer } = floors[op] ?? floors.default!
  return first + perLayer * layer
}

/** The most NMSE that is still noise. `layer`: for what follows the layers, their number. */
export function tolerance(profile: ProfileName, op: Op, layer: number): number {
  return noiseFloor(profile, op, layer) * ladder.margin
}

/** The lead of a first token over a second that noise alone can turn around, in logits. */
export function greedyNoise(profile: ProfileName): number {
  return profile === 'bit-exact' ? 0 : ladder.greedy_noise[profile]
}
