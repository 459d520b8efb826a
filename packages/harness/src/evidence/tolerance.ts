import type { Health } from '@plumbline/protocol'
import type { Asked } from './evidence.ts'

/** What matrices of quantised weights read, as the worker states it: floats; or int8 with a scale for 16 values, `fast` on a CPU. */
export type Activations = 'float' | 'q8_16'

/** A GPU's `fast` rounds in a way that nobody has written down yet. */
export function statedActivations(asked: Pick<Asked, 'precision'>, health: Health | undefined): Activations {
  const precision = asked.precision ?? health?.precision
  return precision === 'fast' && health?.device === 'cpu' ? 'q8_16' : 'float'
}

/**
 * By how much, at most, the difference between two logits of an honest worker that rounds nothing differs from the same difference in the
 * reference's float64 logits: the tolerance of the replay, in logits.
 *
 * Measured by `plumbline-harness logit-noise --precision exact` on a CPU, over the 20 likeliest
 * tokens of each place. Largest of all places: stories260K 2.6e-5 (1,681 places), stories15M Q8_0 1.7e-5 (400), SmolLM2-135M Q4_1
 * 2.1e-5 (40), random qwen2 Q4_K_M 2.3e-4 (800), haiku-nano Q8_0 7.3e-3 (40,960). haiku-nano is the hard one: far beyond the end of its
 * haiku its attention weighs scores that all but tie, and a rounding error there grows; its median is 4e-5 and its p99 7e-4, so the tail
 * is long and thin. The bound is about three times the largest. It lets no other sampler in: nearly all draws of an honest worker
 * are the very draw, and checkers/replay.ts allows one in a hundred that is not.
 */
export const LOGIT_NOISE = 2.5e-2

/** Of a place, the tokens that are ever drawn: over so many of the likeliest its logits are compared. */
export const LIKELIEST = 20

/**
 * Where activations are rounded, a value in the middle between two steps goes either way, in the worker and in the reference, and moves
 * all that comes after it: by how much depends on the place. What the rounding itself makes of the logits (the spread of rounded less
 * unrounded logits over the likeliest tokens) says it best; since that may be small by chance, the largest of this place and the four before
 * counts. The tolerance is so many times that, and at most so many logits: beyond, rounding far into a stream would explain any token.
 *
 * Measured on haiku-nano by `haiku --precision fast --runs 7` for each variant (portable, AVX2, AVX-512): of 18,946 draws, in streams of up to
 * 2,000 tokens, none needed more than 1.91 times that, three more than 0.75 times, and of the first 128 of a stream none more than 0.69 times. One was 3.95 logits off, none of the others more than 2.4.
 */
export const TIMES_ROUNDING = 2
export const PLACES = 5
export const MOST_BY_ROUNDING = 3

/**
 * Largest less smallest of the values: of what two makings of the logits differ by, each but for a constant, it is by how much the difference
 * of two logits is off.
 */
export function spread(values: readonly number[]): number {
  return values.length === 0 ? 0 : Math.max(...values) - Math.min(...values)
}
