import type { Values } from '../recording/recording.ts'
import type { Oddity } from './row-oddities.ts'

/** No vocabulary is smaller. */
const SMALLEST_VOCABULARY = 8
/** Fewer may be in order by chance. */
const FEWEST_IN_ORDER = 32
/** The share of steps of one direction that no honest row comes near: half of them go up. */
const IN_ORDER = 0.95
/** Steps, and values, that tell almost every honest row. */
const FIRST_STEPS = 16
const SAMPLED = 64
/**
 * One less the squared correlation of two rows, and by how much their spreads differ (as a logarithm), of which one is a multiple of the
 * other. Multiples that were rounded to BF16 have 3e-6; the nearest rows of honest recordings
 * of six models whose spreads differ so 1.7e-2.
 */
const MULTIPLES = { unexplained: 1e-5, spread: 0.1 }

/** What no whole rows of logits do, whatever the model is; one of these for each side. */
export class LogitOddities {
  #first: { readonly position: number; readonly row: Values } | undefined

  /** `row`: finite, and not constant. */
  look(position: number, row: Values): Oddity | undefined {
    if (row.length < SMALLEST_VOCABULARY) {
      return {
        kind: 'narrow-logits',
        message: `logits of ${row.length} ${row.length === 1 ? 'token' : 'tokens'}: no vocabulary is that small`,
      }
    }
    if (isInOrder(row)) {
      return { kind: 'ordered-row', message: 'the logits are in the order of their size, as of a counter' }
    }
    const first = this.#first
    if (first === undefined) {
      this.#first = { position, row: row.slice() }
      return undefined
    }
    const stride = Math.max(1, Math.floor(row.length / SAMPLED))
    if (!isMultiple(row, first.row, stride) || !isMultiple(row, first.row, 1)) return undefined
    return { kind: 'multiple-row', message: `the logits are a multiple of those at position ${first.position}` }
  }
}

function isInOrder(row: Values): boolean {
  if (row.length < FEWEST_IN_ORDER) return false
  return shareOfOneDirection(row, FIRST_STEPS) >= 0.9 && shareOfOneDirection(row, row.length - 1) >= IN_ORDER
}

function shareOfOneDirection(row: Values, steps: number): number {
  let up = 0
  let down = 0
  for (let i = 0; i < steps; i++) {
    if (row[i + 1]! > row[i]!) up++
    else if (row[i + 1]! < row[i]!) down++
  }
  return Math.max(up, down) / steps
}

/** Of values less their mean, since models whose logits are all far from 0 are no less honest. */
function isMultiple(row: Values, other: Values, stride: number): boolean {
  if (row.length !== other.length) return false
  let count = 0
  let [sum, otherSum] = [0, 0]
  for (let i = 0; i < row.length; i += stride) {
    count++
    sum += row[i]!
    otherSum += other[i]!
  }
  const [mean, otherMean] = [sum / count, otherSum / count]
  let [squares, otherSquares, product] = [0, 0, 0]
  for (let i = 0; i < row.length; i += stride) {
    const a = row[i]! - mean
    const b = other[i]! - otherMean
    squares += a * a
    otherSquares += b * b
    product += a * b
  }
  if (squares === 0 || otherSquares === 0) return false
  const unexplained = 1 - product ** 2 / (squares * otherSquares)
  return unexplained <= MULTIPLES.unexplained && Math.abs(Math.log(squares / otherSquares)) / 2 >= MULTIPLES.spread
}
