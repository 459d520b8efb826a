/**
 * By how much, at most, the difference between two logits of an honest worker differs from the same difference in the
 * reference's float64 logits: the tolerance of the replay, in logits.
 *
 * Measured by `plumbline-harness logit-noise` on the CPU backend, AVX-512 and portable, both precisions (which had the same kernels
 * then), over the 20 likeliest tokens of each place. Largest of all places: stories260K 2.6e-5 (1,681 places), stories15M Q8_0
 * 1.7e-5 (400), haiku-nano Q8_0 9.1e-5 (1,500), SmolLM2-135M Q4_1 2.1e-5 (40), random qwen2 Q4_K_M 2.3e-4 (800). The bound is
 * ten times the largest.
 */
export const LOGIT_NOISE: Readonly<Record<'fast' | 'exact', number>> = { fast: 2.5e-3, exact: 2.5e-3 }
