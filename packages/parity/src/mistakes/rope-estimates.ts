import type { OpSite } from '../graph/op-site.ts'
import { roundings } from './roundings.ts'

/** By how much a pair of dimensions was turned at a position, over all heads. */
interface Turn {
  readonly position: number
  readonly pair: number
  /** In radians, from -pi to pi. */
  readonly angle: number
  /** How much of the values it stands for. */
  readonly weight: number
}

/** Of the site's first row, from what went in to what was recorded: the argument of the sum of y times the conjugate of x, heads together. */
function turnsOf(site: OpSite, recorded: Float64Array): Turn[] {
  const x = site.input()
  const { keyLength, ropePairing } = site.config
  const pairs = site.ropeFrequencies.length
  const [stride, partner] = ropePairing === 'neighbours' ? [2, 1] : [1, pairs]
  return Array.from({ length: pairs }, (_, pair) => {
    let real = 0
    let imaginary = 0
    for (let head = 0; head < site.headCount; head++) {
      const a = head * keyLength + pair * stride
      const b = a + partner
      real += recorded[a]! * x[a]! + recorded[b]! * x[b]!
      imaginary += recorded[b]! * x[a]! - recorded[a]! * x[b]!
    }
    return { position: site.first, pair, angle: Math.atan2(imaginary, real), weight: Math.hypot(real, imaginary) }
  })
}

/** How badly turns by position * frequency fit: 0 where they are those. */
function misfit(turns: readonly Turn[], angleOf: (turn: Turn) => number): number {
  return turns.reduce((sum, turn) => sum + turn.weight * (1 - Math.cos(turn.angle - angleOf(turn))), 0)
}

/** Turns beyond a half circle are told from lesser ones by trying: so many whole circles. */
const CIRCLES = 64

/**
 * A factor that multiplies each pair's frequency by factor^power(pair): one pair gives candidates, all pairs choose, and Gauss-Newton steps in
 * its logarithm refine it.
 */
function fitFactor(site: OpSite, turns: readonly Turn[], power: (pair: number) => number): number | undefined {
  const frequencies = site.ropeFrequencies
  const angleOf = (factor: number) => (turn: Turn) =>
    turn.position * frequencies[turn.pair]! * factor ** power(turn.pair)
  let best = { factor: Number.NaN, error: Number.POSITIVE_INFINITY }
  for (const { position, pair, angle } of turns) {
    if (power(pair) === 0) continue
    for (let circles = 0; circles < CIRCLES; circles++) {
      const factor = ((angle + 2 * Math.PI * circles) / (position * frequencies[pair]!)) ** (1 / power(pair))
      const error = Number.isFinite(factor) && factor > 0 ? misfit(turns, angleOf(factor)) : Number.POSITIVE_INFINITY
      if (error < best.error) best = { factor, error }
    }
  }
  let logarithm = Math.log(best.factor)
  for (let step = 0; step < 4; step++) {
    let along = 0
    let squares = 0
    for (const turn of turns) {
      const expected = angleOf(Math.exp(logarithm))(turn)
      const slope = expected * power(turn.pair)
      along += turn.weight * slope * Math.sin(turn.angle - expected)
      squares += turn.weight * slope * slope
    }
    if (squares > 0) logarithm += along / squares
  }
  return Number.isFinite(logarithm) ? Math.exp(logarithm) : undefined
}

/** The bases (rope_theta) that the turns of the site's first row speak for, the roundest first. */
export function estimateBase(site: OpSite, recorded: Float64Array): readonly number[] {
  if (site.first === 0) return []
  const { ropeTheta, ropeDimensions } = site.config
  const factor = fitFactor(site, turnsOf(site, recorded), (pair) => (-2 * pair) / ropeDimensions)
  return factor === undefined ? [] : roundings(ropeTheta * factor)
}

/** What positions are divided by. */
export function estimateScaling(site: OpSite, recorded: Float64Array): readonly number[] {
  if (site.first === 0) return []
  const factor = fitFactor(site, turnsOf(site, recorded), () => 1)
  return factor === undefined ? [] : roundings(1 / factor)
}

/** How far from its own a position is looked for. */
const FURTHEST = 4096

/** What is added to positions. */
export function estimateOffset(site: OpSite, recorded: Float64Array): readonly number[] {
  const turns = turnsOf(site, recorded)
  const frequencies = site.ropeFrequencies
  let best = { offset: 0, error: Number.POSITIVE_INFINITY }
  for (let offset = -FURTHEST; offset <= FURTHEST; offset++) {
    const error = misfit(turns, ({ position, pair }) => (position + offset) * frequencies[pair]!)
    if (error < best.error) best = { offset, error }
  }
  return best.offset === 0 ? [] : [best.offset]
}
