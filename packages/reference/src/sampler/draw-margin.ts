import type { SamplingParameters } from '@plumbline/protocol'
import { gumbelNoise } from './gumbel-noise.ts'
import { candidates, type Logits, penalise, type RankedToken } from './kept-tokens.ts'

export interface DrawMargin {
  /**
   * In logits: the best score (logit + temperature * noise) of the tokens kept, less the score of the token asked about. 0 when
   * the sampler draws that very token from these logits. Negative only for a token that is cut but would have won.
   */
  readonly margin: number
  /** Whether top_k, top_p and min_p, on these logits, leave the token in the draw. */
  readonly inKeptSet: boolean
  /**
   * Whether the token can have been drawn only because top_k, top_p or min_p fell otherwise: it, or each token that beats
   * it, lies so near the edge of what is kept that logits which differ by `tolerance` put it on the other side.
   */
  readonly edge: boolean
}

/**
 * How plausible it is that the specified sampler drew `tokenId` from logits close to these: the margin of Token-DiFR
 * (Karvonen et al., "DiFR: inference verification despite nondeterminism", 2025). An honest engine's tokens have a margin within
 * the noise of its logits; a token made otherwise is nearly always far below the best.
 * `tolerance`: in logits, how much the difference of two logits may differ between the drawer's engine and these.
 */
export function drawMargin(
  logits: Logits,
  parameters: SamplingParameters,
  history: readonly number[],
  answerIndex: number,
  tokenId: number,
  tolerance = 0,
): DrawMargin {
  const penalised = penalise(logits, history, parameters.repetitionPenalty)
  const chosenLogit = penalised[tokenId]
  if (chosenLogit === undefined) throw new RangeError(`token ${tokenId} is not in a vocabulary of ${logits.length}`)
  const { temperature, seed } = parameters
  if (temperature === 0) {
    const margin = penalised.reduce((a, b) => Math.max(a, b)) - chosenLogit
    return { margin, inKeptSet: true, edge: false }
  }

  const { ranking, keptCount } = candidates(penalised, parameters)
  const score = (token: RankedToken) => token.penalised + temperature * gumbelNoise(seed, token.tokenId, answerIndex)
  const chosenRank = ranking.findIndex((token) => token.tokenId === tokenId)
  const inKeptSet = chosenRank < keptCount
  const chosenScore = score(ranking[chosenRank]!)
  const kept = ranking.slice(0, keptCount).map((token, rank) => ({ rank, score: score(token) }))
  const margin = kept.reduce((best, token) => Math.max(best, token.score), -Infinity) - chosenScore
  if (inKeptSet && margin <= tolerance) return { margin, inKeptSet, edge: false }

  const distances = edgeDistances(ranking, parameters)
  const movable = (rank: number) => Math.abs(distances(rank)) <= tolerance
  const rivals = kept.filter((token) => token.score - chosenScore > tolerance)
  // What was drawn was kept, so the rivals were cut, which takes every lower rank with them unless the ranks swap too.
  const edge = (inKeptSet || movable(chosenRank)) && rivals.every((token) => movable(token.rank))
  return { margin, inKeptSet, edge }
}

/**
 * For each rank, by how much, in logits, a token's lead over the others would have to change for the nearest of top_k,
 * top_p and min_p to decide otherwise about it. Positive: it is kept. For a token that is cut: by the rule that cuts it most.
 */
function edgeDistances(ranking: readonly RankedToken[], parameters: SamplingParameters): (rank: number) => number {
  const { temperature, topK, topP, minP } = parameters
  const topKCount = topK === 0 ? ranking.length : Math.min(topK, ranking.length)
  const total = ranking.slice(0, topKCount).reduce((sum, token) => sum + token.weight, 0)
  const massBefore = [0]
  for (const [rank, token] of ranking.entries()) massBefore.push(massBefore[rank]! + token.weight / total)

  return (rank) => {
    const { penalised, scaled } = ranking[rank]!
    const distances = [Infinity]
    if (topKCount < ranking.length) {
      const edgeLogit = ranking[rank < topKCount ? topKCount : topKCount - 1]!.penalised
      distances.push(penalised - edgeLogit)
    }
    // A shift by d of the logits of all tokens before this one shifts the log-odds of their mass by d.
    if (topP < 1 && rank > 0) distances.push(temperature * (logOdds(topP) - logOdds(Math.min(massBefore[rank]!, 1))))
    if (minP > 0 && rank > 0) distances.push(temperature * (scaled - Math.log(minP)))
    return Math.min(...distances)
  }
}

const logOdds = (probability: number) => Math.log(probability / (1 - probability))
