/**
 * The sampler, specified so that anyone can check a draw. It is implemented twice, in cuda-core/native/sampling and in
 * reference/src/sampler, and `test-vectors/sampler.json` holds both to it.
 *
 * Input: finite float32 logits, the ids of prompt and answer so far (`history`, special tokens too), and the index of the
 * token in the answer (0 for the first). The parameters are float64, and so is all arithmetic below, on the float32
 * logits widened exactly; each operation is rounded once, nothing is rounded back to float32. No token is treated
 * specially: not the end-of-sequence token either.
 *
 *  1. Repetition penalty r (1: nothing): for each id that occurs in the history, once however often it occurs:
 *     x = logit > 0 ? logit / r : logit * r; for all others x = logit.
 *  2. temperature = 0: the answer is the lowest id among those with the largest x. Done.
 *  3. Rank the tokens by x, largest first, ties by id, lowest first.
 *  4. top_k (0: off): keep the first top_k of the ranking.
 *  5. scaled = (x - largest x) / temperature, which is at most 0 and never NaN, and weight = exp(scaled): the softmax
 *     before it is divided by its sum. The largest weight is exactly 1.
 *  6. top_p (1: off): let total be the sum of the weights kept so far. Keep the shortest prefix of the ranking whose weights
 *     sum to >= top_p * total; at least one token, so top_p = 0 keeps one. (Where rounding leaves every prefix
 *     below it, all are kept.)
 *  7. min_p (0: off): of those, keep the tokens with weight >= min_p. As the largest weight is 1, that is "at least min_p
 *     times as likely as the likeliest", whatever steps 4 and 6 left.
 *  8. The draw: of the tokens kept, the one with the largest scaled + noise, ties by id, lowest first. The noise is
 *     -ln(-ln u), u = (w + 0.5) / 2^32 (exact in float64), where w is the first word of Philox4x32-10 (Salmon et al., "Parallel
 *     random numbers: as easy as 1, 2, 3", SC 2011) with key = (seed mod 2^32, seed div 2^32) and
 *     counter = (token id, index in the answer, 0, 0).
 *
 * Adding Gumbel noise and taking the largest draws exactly from the softmax over the tokens kept. The noise lies between -3.2 and
 * 22.9, so a token whose `scaled` is below -26.1 can never win and needs no drawing.
 *
 * What is left open is what cannot be pinned down in floating point: the order of summation in step 6 and the last bit of
 * exp and ln. So an implementation may answer otherwise where two scores, or a sum and its threshold, are within 1e-9 of each
 * other (the vectors stay clear of that, except where all weights are exactly 1 and so every sum is exact).
 *
 * Log-probabilities that are reported are of the model's distribution: log-softmax, in float64, of the logits before step 1.
 */
export interface SamplingParameters {
  readonly temperature: number
  /** 0 = off */
  readonly topK: number
  readonly topP: number
  readonly minP: number
  readonly repetitionPenalty: number
  /** 0 .. 2^64 - 1 */
  readonly seed: bigint
}

export const MAX_SEED = 2n ** 64n - 1n
