import type { SamplingParameters } from '@plumbline/protocol'
import { gumbelNoise } from './gumbel-noise.ts'
import { candidates, type Logits, penalise } from './kept-tokens.ts'

export interface Draw {
  readonly tokenId: number
  /** The ids that were left to draw from, likeliest first; with temperature 0 the chosen one alone. */
  readonly kept: readonly number[]
}

/**
 * One token, drawn as `SamplingParameters` (protocol) specifies.
 * `logits`: one a token of the vocabulary. `history`: the ids of prompt and answer so far.
 */
export function sample(
  logits: Logits,
  parameters: SamplingParameters,
  history: readonly number[],
  answerIndex: number,
): Draw {
  const penalised = penalise(logits, history, parameters.repetitionPenalty)
  if (parameters.temperature === 0) {
    const tokenId = firstMaximum(penalised)
    return { tokenId, kept: [tokenId] }
  }
  const { ranking, keptCount } = candidates(penalised, parameters)
  const kept = ranking.slice(0, keptCount)
  const scores = new Map(
    kept.map(({ tokenId, scaled }) => [tokenId, scaled + gumbelNoise(parameters.seed, tokenId, answerIndex)]),
  )
  const better = (a: number, b: number) => scores.get(b)! - scores.get(a)! || a - b
  const tokenId = [...scores.keys()].reduce((best, id) => (better(best, id) <= 0 ? best : id))
  return { tokenId, kept: kept.map((token) => token.tokenId) }
}

/** The lowest index of the largest value. */
export function firstMaximum(values: Logits): number {
  let best = 0
  for (const [index, value] of values.entries()) if (value > values[best]!) best = index
  return best
}

/** log-softmax of the logits, before any sampling parameter: the model's own distribution. */
export function logProbabilities(logits: Logits): Float64Array {
  const values = Float64Array.from(logits)
  const largest = values[firstMaximum(values)]!
  const logSum = Math.log(values.reduce((sum, logit) => sum + Math.exp(logit - largest), 0))
  return values.map((logit) => logit - largest - logSum)
}
