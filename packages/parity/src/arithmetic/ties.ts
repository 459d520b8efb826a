import type { Linear } from '@plumbline/reference/ops'
import { type Rounding, type Tie, tiesOf } from './rounding.ts'

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
  let left = recorded.map((value, i) => value - replayed[i]!)
  let error = squares(left)
  let ties: readonly Tie[] = tiesOf(rounding, input)
  // The one that explains the most first: of any other, turning it may explain a little, too, by chance.
  for (;;) {
    const turned = ties.map(({ index, change }) =>
      left.map((value, row) => (row < rows ? value - change * weight[row * columns + index]! : value)),
    )
    const errors = turned.map(squares)
    const best = errors.indexOf(Math.min(...errors))
    if (best === -1 || !(errors[best]! < error)) break
    error = errors[best]!
    left = turned[best]!
    ties = ties.filter((_, i) => i !== best)
  }
  return error / squares(replayed)
}

function squares(values: Float64Array): number {
  let sum = 0
  for (const value of values) sum += value * value
  return sum
}
