import type { Cause } from '../comparison/comparison.ts'
import type { GraphNode } from '../graph/graph.ts'
import type { ActivationSource } from '../graph/op-site.ts'
import { type Piece, rowsOf, siteOf, squaredDistance, sum, UNTOUCHED } from './pieces.ts'

/** The share of a row's difference that its factor may leave, and of one factor that another may be off by. */
const EXACT = 1e-3

/** That a few rows are the right ones times a factor, where other rows are right. */
export function findScaledRows(
  source: ActivationSource,
  node: GraphNode,
  pieces: readonly Piece[],
): Omit<Cause, 'alternatives'> | undefined {
  const rows = pieces.flatMap(rowsOf).map(({ first, count, chunk, recorded }) => {
    const right = siteOf({ first, count, chunk, recorded }, node, source).right()
    const size = sum(right.map((x) => x * x)) || 1
    const factor = sum(right.map((x, i) => x * recorded[i]!)) / size
    const residual =
      squaredDistance(
        recorded,
        right.map((x) => factor * x),
      ) / size
    return { first, factor, residual, difference: squaredDistance(recorded, right) / size }
  })
  const most = Math.max(...rows.map(({ difference }) => difference))
  const wrong = rows.filter(({ difference }) => difference > UNTOUCHED * most)
  const [one] = wrong
  if (one === undefined || one.factor === 0 || wrong.length === rows.length) return undefined
  const isScaled = wrong.every(
    ({ factor, residual, difference }) =>
      residual <= EXACT * difference && Math.abs(factor - one.factor) <= EXACT * Math.abs(1 - one.factor),
  )
  if (!isScaled) return undefined
  const tokens = `${wrong.length === 1 ? 'token' : 'tokens'} ${wrong.map(({ first }) => first).join(', ')}`
  return {
    mistake: 'row-scaled',
    message: `${node.name} is what it should be times ${Number(one.factor.toPrecision(4))}, at ${tokens} alone`,
    residual: Math.max(...wrong.map(({ residual }) => residual)),
    confidence: 'likely',
  }
}
