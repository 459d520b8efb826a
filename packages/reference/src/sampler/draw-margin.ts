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
   * Whether the token can have been drawn only because top_k, top_p or min_p fell otherwise: on logits whose differences
   * differ by up to `tolerance` from these, the token could be kept, and all that beat it by more than that could be cut.
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
  const margin =
    ranking.slice(0, keptCount).reduce((best, token) => Math.max(best, score(token)), -Infinity) - chosenScore
  if (inKeptSet && margin <= tolerance) return { margin, inKeptSet, edge: false }

  const edges = new Edges(ranking, parameters, tolerance)
  const rivals = ranking.slice(0, keptCount).filter((token) => score(token) - chosenScore > tolerance)
  const edge = edges.couldBeKept(ranking[chosenRank]!) && rivals.every((rival) => edges.couldBeCut(rival))
  return { margin, inKeptSet, edge }
}

/**
 * What steps 4, 6 and 7 of the sampler could do on logits of which any two differ by up to `tolerance` more or less. A sum
 * of weights is then up to exp(tolerance / 2 / temperature) times as large or small, so the ratio of two sums up to the square of that.
 * Comparisons are written so that NaN (0 times infinity, where the temperature is far below the tolerance) is "could".
 */
class Edges {
  readonly #ranking: readonly RankedToken[]
  readonly #parameters: SamplingParameters
  readonly #tolerance: number
  /** Of the weights that top_k leaves. */
  readonly #total: number

  constructor(ranking: readonly RankedToken[], parameters: SamplingParameters, tolerance: number) {
    this.#ranking = ranking
    this.#parameters = parameters
    this.#tolerance = tolerance
    this.#total = sumOfWeights(ranking.slice(0, parameters.topK === 0 ? ranking.length : parameters.topK))
  }

  couldBeKept(token: RankedToken): boolean {
    const { temperature, topK, topP, minP } = this.#parameters
    const surelyAbove = this.#ranking.filter((other) => other.penalised > token.penalised + this.#tolerance)
    if (surelyAbove.length === 0) return true
    const mass = sumOfWeights(surelyAbove) * Math.exp(-this.#tolerance / temperature)
    const belowTopK = topK > 0 && surelyAbove.length >= topK
    const belowTopP = topP < 1 && mass >= topP * this.#total
    const belowMinP = minP > 0 && token.scaled + this.#tolerance / temperature < Math.log(minP)
    return !(belowTopK || belowTopP || belowMinP)
  }

  couldBeCut(token: RankedToken): boolean {
    const { temperature, topK, topP, minP } = this.#parameters
    const others = this.#ranking.filter((other) => other !== token)
    const maybeAbove = others.filter((other) => other.penalised + this.#tolerance >= token.penalised)
    if (maybeAbove.length === 0) return false
    const mass = sumOfWeights(maybeAbove) * Math.exp(this.#tolerance / temperature)
    const lead = (token.penalised - others[0]!.penalised - this.#tolerance) / temperature
    const withinTopK = topK === 0 || maybeAbove.length < topK
    const withinTopP = topP >= 1 || mass < topP * this.#total
    const withinMinP = minP === 0 || lead >= Math.log(minP)
    return !(withinTopK && withinTopP && withinMinP)
  }
}

function sumOfWeights(tokens: readonly RankedToken[]): number {
  return tokens.reduce((sum, token) => sum + token.weight, 0)
}
