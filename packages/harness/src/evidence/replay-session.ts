import { Q8_16, type Session } from '@plumbline/reference'
import type { Subject } from './subject.ts'
import {
  type Activations,
  LIKELIEST,
  LOGIT_NOISE,
  MOST_BY_ROUNDING,
  PLACES,
  spread,
  TIMES_ROUNDING,
} from './tolerance.ts'

/** The reference's logits after a token. */
export interface ReplayedPlace {
  /** In float64, from activations that are rounded as the worker states. */
  readonly logits: Float64Array
  /** From activations as they are; where none are rounded, the same. */
  readonly unrounded: Float64Array
  /** By how much, at most, the difference of two of an honest worker's logits differs from that of these. */
  readonly tolerance: number
}

/** One context of the reference, computed once, and where activations are rounded, a second time without it. */
export class ReplaySession {
  readonly #unrounded: Session
  readonly #rounded: Session | undefined
  /** What the rounding made of the logits of the last places. */
  #byRounding: number[] = []

  constructor(subject: Subject, activations: Activations) {
    const model = subject.model()
    this.#unrounded = model.newSession()
    this.#rounded = activations === 'float' ? undefined : model.newSession({ activations: Q8_16 })
  }

  append(ids: readonly number[]): ReplayedPlace[] {
    const unrounded = this.#unrounded.append(ids)
    const rounded = this.#rounded?.append(ids) ?? unrounded
    return rounded.map((logits, row) => ({
      logits,
      unrounded: unrounded[row]!,
      tolerance: this.#next(logits, unrounded[row]!),
    }))
  }

  /** The tolerance of the place behind those so far. */
  #next(logits: Float64Array, unrounded: Float64Array): number {
    if (logits === unrounded) return LOGIT_NOISE
    const byRounding = spread(likeliest(logits).map((id) => logits[id]! - unrounded[id]!))
    this.#byRounding = [...this.#byRounding, byRounding].slice(-PLACES)
    const most = Math.min(MOST_BY_ROUNDING, TIMES_ROUNDING * Math.max(...this.#byRounding))
    return Math.max(LOGIT_NOISE, most)
  }
}

/** Ids of the largest logits. */
function likeliest(logits: Float64Array): number[] {
  return Array.from(logits.keys())
    .sort((a, b) => logits[b]! - logits[a]!)
    .slice(0, LIKELIEST)
}
