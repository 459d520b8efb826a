/**
 * The sampler, specified so that anyone can check a draw. It is implemented twice, in cuda-core/native/sampling and in
 * reference/src/sampler, and `test-vectors/sampler.json` holds both to the letter.
 *
 * Input: float32 logits, the ids of prompt and answer so far (`history`), and the index of the token in the answer
 * (0 for the first). All arithmetic below is float64 on the float32 logits, each operation rounded once.
 *
 *  1. Repetition penalty r (r = 1: nothing): for each id that occurs in the history, once however often it occurs:
 *     logit > 0 ? logit / r : logit * r.
 *  2. temperature = 0: the answer is the first id with the largest logit. Done.
 *  3. scaled = logit / temperature. Order: by scaled descending, ties by id ascending.
 *  4. top_k (0: off): the first top_k of the order.
 *  5. p = softmax of scaled over what is left, with the largest subtracted first; sum in the order of 3.
 *  6. top_p (1: off): the shortest prefix of the order whose sum of p is >= top_p; at least one token. (When rounding
 *     keeps the whole sum below top_p, everything is kept.) top_p = 0 keeps one token.
 *  7. min_p (0: off): of those, the ones with p >= min_p * (largest p).
 *  8. Among the tokens kept: the one with the largest scaled - ln(-ln u), ties by lower id, where u = (w + 0.5) / 2^32 and w is the
 *     first word of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with
 *     key = (seed mod 2^32, seed div 2^32) and counter = (token id, index in the answer, 0, 0).
 *
 * Adding Gumbel noise and taking the largest draws exactly from the softmax over the tokens kept. The noise lies between -3.2 and
 * 22.9, so a token more than 26.1 below the largest `scaled` can never win and needs no drawing.
 *
 * Log-probabilities that are reported are of the model's distribution: log-softmax of the logits before step 1.
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
