/** Scales of the rows of one checkpoint in the order in which they were written. */
export interface ScaleSeries {
  readonly positions: readonly number[]
  /** Root mean squares. */
  readonly scales: readonly number[]
}

const FEWEST_ROWS = 16

/**
 * Whether the scale of what a norm made, or of logits, follows the time of writing rather than the position. Where both grow
 * together they cannot be told apart, and then only a growth that no norm allows is one.
 */
export function drifts({ positions, scales }: ScaleSeries): string | undefined {
  if (scales.length < FEWEST_ROWS) return undefined
  const smallest = Math.min(...scales)
  const largest = Math.max(...scales)
  if (!(smallest > 0) || !Number.isFinite(largest)) return undefined
  const times = scales.map((_, index) => index)
  const withTime = Math.abs(rankCorrelation(scales, times))
  if (withTime < 0.98) return undefined
  const growth = largest / smallest
  const told = `its scale changes ${growth.toPrecision(3)}-fold, in step with the order of writing`
  const inOrder = positions.every((position, index) => index === 0 || position >= positions[index - 1]!)
  if (inOrder) return growth > 8 ? told : undefined
  return growth > 2 && Math.abs(rankCorrelation(scales, positions)) < 0.8 ? `${told}, not with the position` : undefined
}

/** Spearman's rank correlation. */
function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const x = ranks(a)
  const y = ranks(b)
  const mean = (x.length - 1) / 2
  let product = 0
  let xSquares = 0
  let ySquares = 0
  for (let i = 0; i < x.length; i++) {
    product += (x[i]! - mean) * (y[i]! - mean)
    xSquares += (x[i]! - mean) ** 2
    ySquares += (y[i]! - mean) ** 2
  }
  return product / Math.sqrt(xSquares * ySquares)
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!)
  const ranked = new Array<number>(values.length)
  for (const [rank, index] of order.entries()) ranked[index] = rank
  return ranked
}
