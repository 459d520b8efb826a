import { quantile } from './statistics.ts'

/** What one run of the calibration loop said: a fixed amount of integer work on every core at once. */
export interface Calibration {
  readonly seconds: number
  /** The share of that time in which the threads did not run. */
  readonly lost: number
}

export interface NoiseVerdict {
  readonly noisy: boolean
  /** The third quartile of the loop's times against its fastest, less 1. */
  readonly slowdown: number
  /** The third quartile of the shares lost to others. */
  readonly lost: number
}

const MOST_SLOWDOWN = 0.1
const MOST_LOST = 0.05

export const NOISE_RULE =
  'too noisy to tell when, in a quarter of the rounds or more, a fixed loop on all cores takes over 10 % longer than in its ' +
  'fastest round, or loses over 5 % of its time to other programs'

/** Whether something else was on the machine: then its figures say nothing, however steady they look. */
export function judgeNoise(calibrations: readonly Calibration[]): NoiseVerdict {
  const times = calibrations.map(({ seconds }) => seconds)
  const slowdown = quantile(times, 0.75) / Math.min(...times) - 1
  const lost = quantile(
    calibrations.map((calibration) => calibration.lost),
    0.75,
  )
  return { noisy: slowdown > MOST_SLOWDOWN || lost > MOST_LOST, slowdown, lost }
}
