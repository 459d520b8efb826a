import type { Linear } from '@plumbline/reference/ops'
import { type Rounding, tiesOf } from './rounding.ts'

/**
 * NMSE of a recorded row of a matrix's output against the replayed one, when values of the input that lie on a tie may have been rounded
 * the other way: engines multiply by 1 / step where others divide. `input`: the row before rounding.
 */
export function errorBesideTies(
  { rows, columns, weight }: Linear,
  rounding: Rounding,
  input: Float64Array,
  recorded: Float64Array,
  replayed: Float64Array,
): number {
  const left = recorded.map((value, i) => value - replayed[i]!)
  let error = squares(left)
  for (const { index, change } of tiesOf(rounding, input)) {
    const otherwise = left.map((value, row) => (row < rows ? value - change * weight[row * columns + index]! : value))
    const than = squares(otherwise)
    if (than >= error) continue
    error = than
    left.set(otherwise)
  }
  return error / squares(replayed)
}

function squares(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value * value
  return sum
}
