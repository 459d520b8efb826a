/**
 * Normalised mean squared error of `values` against `truth`: sum of squared differences / sum of squares of the truth.
 * 0 where both are all zero, Infinity where only the truth is, NaN as soon as either holds a NaN.
 */
export function nmse(values: ArrayLike<number>, truth: ArrayLike<number>): number {
  if (values.length !== truth.length) throw new RangeError(`${values.length} values against ${truth.length}`)
  let difference = 0
  let size = 0
  for (let i = 0; i < truth.length; i++) {
    difference += (values[i]! - truth[i]!) ** 2
    size += truth[i]! ** 2
  }
  return difference === 0 && size === 0 ? 0 : difference / size
}
