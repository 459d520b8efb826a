/**
 * By how much the difference between two logits of an honest worker may differ from the same difference in the
 * reference's float64 logits: the tolerance of the replay. TO BE MEASURED
 */
export const LOGIT_NOISE: Readonly<Record<'fast' | 'exact', number>> = { fast: 0.1, exact: 0.001 }
