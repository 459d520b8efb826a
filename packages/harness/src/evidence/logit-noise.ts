/**
 * By how much, at most, the difference between two logits of an honest worker differs from the same difference in the
 * reference's float64 logits: the tolerance of the replay, in logits.
 *
 * Measured by `plumbline-harness logit-noise` on the CPU backend of `exact` (`fast` rounds activations to 8 bits: its
 * p99 on haiku-nano is 4 to 7, and a run with it fails the replay), over the 20 likeliest
 * tokens of each place. Largest of all places: stories260K 2.6e-5 (1,681 places), stories15M Q8_0 1.7e-5 (400), SmolLM2-135M Q4_1
 * 2.1e-5 (40), random qwen2 Q4_K_M 2.3e-4 (800), haiku-nano Q8_0 7.3e-3 (40,960). haiku-nano is the hard one: far beyond the end of its
 * haiku its attention weighs scores that all but tie, and a rounding error there grows; its median is 4e-5 and its p99 7e-4, so the tail
 * is long and thin. The bound is about three times the largest. It lets no other sampler in: nearly all draws of an honest worker
 * are the very draw, and replay.ts allows one in a hundred that is not.
 */
export const LOGIT_NOISE: Readonly<Record<'fast' | 'exact', number>> = { fast: 2.5e-2, exact: 2.5e-2 }
