import type { RowPair } from './compared-rows.ts'

/** Indices of the largest absolute differences, the largest first, by index where equal; what is not a number comes before all. */
export function largestDifferences(pair: Pick<RowPair, 'candidate' | 'reference'>, most: number): number[] {
  const { candidate, reference } = pair
  const size = (i: number) => {
    const difference = Math.abs(candidate[i]! - reference[i]!)
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference
  }
  return largest(candidate.length, size, most)
}

/** Indices of the largest of `size(0 … count - 1)`, the largest first, by index where equal. */
export function largest(count: number, size: (index: number) => number, most: number): number[] {
  const sizes = Float64Array.from({ length: count }, (_, index) => size(index))
  const threshold = most < count ? sizes.toSorted()[count - most]! : Number.NEGATIVE_INFINITY
  const indices: number[] = []
  for (let index = 0; index < count; index++) if (sizes[index]! >= threshold) indices.push(index)
  return indices.sort((a, b) => sizes[b]! - sizes[a]! || a - b).slice(0, most)
}
