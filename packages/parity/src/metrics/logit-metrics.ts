import { LOGIT_METRIC_NAMES, type LogitMetricName } from '../comparison/comparison.ts'
import type { Values } from '../recording/recording.ts'

/** exp(-40) is 4e-18: below the last bit of a sum that holds a 1. */
const NEGLIGIBLE = 40
/** Its fifth power, by 120, is below the last bit of 1. */
const NEAR = 1e-3

/**
 * Logits of one position. `x`: the candidate's, `y`: the reference's, both over the same ids. `whole`: whether that is the whole
 * vocabulary, without which there is no distribution and so no divergence: NaN, and ranks are among the ids compared.
 */
export function logitMetrics(x: Values, y: Values, whole: boolean): Record<LogitMetricName, number> {
  const best = firstMaximum(y)
  const lead = x[best]!
  let rank = 0
  for (let i = 0; i < x.length; i++) {
    const value = x[i]!
    if (value > lead || (value === lead && i < best)) rank++
  }
  const theirs = largest(y, 5)
  const ours = new Set(largest(x, 5))
  const shared = theirs.filter((id) => ours.has(id)).length
  return {
    kl: whole ? divergence(x, y) : NaN,
    top1: rank === 0 ? 1 : 0,
    top5: shared / Math.max(1, theirs.length),
    rank,
  }
}

/** The metrics in the order of LOGIT_METRIC_NAMES, then `lostLead`. `same`: both rows are the same, bit for bit. */
export function logitNumbers(x: Values, y: Values, whole: boolean, same: boolean): number[] {
  const metrics = same ? sameLogits(whole) : logitMetrics(x, y, whole)
  const numbers = LOGIT_METRIC_NAMES.map((name) => metrics[name])
  return [...numbers, metrics.top1 === 0 ? lostLead(x, y) : 0]
}

/** By how much the reference's first token leads the candidate's, in the reference's logits; 0 where they are one. */
function lostLead(x: Values, y: Values): number {
  return y[firstMaximum(y)]! - y[firstMaximum(x)]!
}

/** The same where both rows are the same, bit for bit. */
function sameLogits(whole: boolean): Record<LogitMetricName, number> {
  return { kl: whole ? 0 : NaN, top1: 1, top5: 1, rank: 0 }
}

export function emptyLogitColumns(rows: number): Record<LogitMetricName, Float64Array> {
  return Object.fromEntries(LOGIT_METRIC_NAMES.map((name) => [name, new Float64Array(rows)])) as Record<
    LogitMetricName,
    Float64Array
  >
}

/** KL(softmax(y) || softmax(x)) in nats: sum p (y - x) + log sum p exp(x - y), with p of the reference. Not below 0. */
function divergence(x: Values, y: Values): number {
  const xMaximum = maximum(x)
  const yMaximum = maximum(y)
  let xSum = 0
  let ySum = 0
  let weighted = 0
  for (let i = 0; i < y.length; i++) {
    const b = y[i]! - yMaximum
    const a = x[i]! - xMaximum
    let weight = 0
    if (b > -NEGLIGIBLE) {
      weight = Math.exp(b)
      ySum += weight
      weighted += weight * (b - a)
    }
    if (a <= -NEGLIGIBLE) continue
    const apart = a - b
    // Of near rows half of the exponentials can be saved: the series is off by less than the last bit.
    const isNear = weight > 0 && Math.abs(apart) < NEAR
    xSum += isNear ? weight * (1 + apart * (1 + (apart / 2) * (1 + (apart / 3) * (1 + apart / 4)))) : Math.exp(a)
  }
  return Math.max(0, weighted / ySum - Math.log(ySum) + Math.log(xSum))
}

function maximum(values: Values): number {
  let largest = -Infinity
  for (let i = 0; i < values.length; i++) if (values[i]! > largest) largest = values[i]!
  return largest
}

function firstMaximum(values: Values): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i
  return best
}

/** Indices of the `count` largest values, the largest first, ties by index. */
function largest(values: Values, count: number): number[] {
  const kept: number[] = []
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (kept.length === count && !(value > values[kept[count - 1]!]!)) continue
    let at = kept.length
    while (at > 0 && values[kept[at - 1]!]! < value) at--
    kept.splice(at, 0, i)
    if (kept.length > count) kept.pop()
  }
  return kept
}
