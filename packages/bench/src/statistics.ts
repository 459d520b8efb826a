/** The median of some measurements, and how far they lie apart. */
export interface Summary {
  readonly median: number
  /** A quarter of the values lie below `lower`, a quarter above `upper`. */
  readonly lower: number
  readonly upper: number
  readonly samples: number
}

/** Linear interpolation between the two nearest of the sorted values (Hyndman & Fan 1996, type 7). */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError('no quantile of no values')
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const below = sorted[Math.floor(at)]!
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at))
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export function summarise(values: readonly number[]): Summary {
  return {
    median: median(values),
    lower: quantile(values, 0.25),
    upper: quantile(values, 0.75),
    samples: values.length,
  }
}

/** The distance between the quartiles, as a share of the median. */
export const spread = ({ median, lower, upper }: Summary): number => (median === 0 ? 0 : (upper - lower) / median)

/**
 * How many times better the first is than the second, round by round: what disturbs a round disturbs both. Rounds that lack
 * either value are left out.
 */
export function ratios(
  ours: readonly (number | undefined)[],
  theirs: readonly (number | undefined)[],
  better: 'higher' | 'lower',
): number[] {
  return ours.flatMap((our, round) => {
    const their = theirs[round]
    if (our === undefined || their === undefined) return []
    const ratio = better === 'higher' ? our / their : their / our
    return Number.isFinite(ratio) ? [ratio] : []
  })
}
