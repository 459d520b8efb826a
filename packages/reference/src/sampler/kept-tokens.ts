import { PlumblineError, type SamplingParameters } from '@plumbline/protocol'

export type Logits = Float32Array | Float64Array

/** One candidate of a draw. */
export interface RankedToken {
  readonly tokenId: number
  /** The logit after the repetition penalty. */
  readonly penalised: number
  /** (penalised - the largest) / temperature: at most 0. */
  readonly scaled: number
  /** exp(scaled): the probability, relative to the largest. */
  readonly weight: number
}

export interface Candidates {
  /** All tokens, likeliest first: step 3. */
  readonly ranking: readonly RankedToken[]
  /** How many of them, from the front, steps 4, 6 and 7 leave for the draw. */
  readonly keptCount: number
}

/** Step 1 of the specification, in float64. */
export function penalise(logits: Logits, history: readonly number[], repetitionPenalty: number): Float64Array {
  const nonFinite = logits.findIndex((logit) => !Number.isFinite(logit))
  if (nonFinite >= 0) {
    const message = `logit ${nonFinite} is ${logits[nonFinite]}: only finite logits can be sampled from`
    throw new PlumblineError('INTERNAL', message, { tokenId: nonFinite })
  }
  const penalised = Float64Array.from(logits)
  for (const tokenId of new Set(history)) {
    const logit = penalised[tokenId]
    if (logit === undefined) continue
    penalised[tokenId] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty
  }
  return penalised
}

/** Steps 3 to 7 of the specification. Each of them cuts the ranking's tail, so what is kept is a prefix of it. */
export function candidates(penalised: Float64Array, parameters: SamplingParameters): Candidates {
  const { temperature, topK, topP, minP } = parameters
  const ids = Array.from(penalised.keys()).sort((a, b) => penalised[b]! - penalised[a]! || a - b)
  const largest = penalised[ids[0]!]!
  const ranking = ids.map((tokenId) => {
    const scaled = (penalised[tokenId]! - largest) / temperature
    return { tokenId, penalised: penalised[tokenId]!, scaled, weight: Math.exp(scaled) }
  })

  let keptCount = topK === 0 ? ranking.length : Math.min(topK, ranking.length)
  if (topP < 1) keptCount = nucleusSize(ranking.slice(0, keptCount), topP)
  if (minP > 0) {
    const tooUnlikely = ranking.findIndex((token) => token.weight < minP)
    if (tooUnlikely >= 0) keptCount = Math.min(keptCount, tooUnlikely)
  }
  return { ranking, keptCount }
}

/** Step 6, nucleus sampling (Holtzman et al., "The curious case of neural text degeneration", ICLR 2020). */
function nucleusSize(ranking: readonly RankedToken[], topP: number): number {
  const threshold = topP * ranking.reduce((sum, token) => sum + token.weight, 0)
  let sum = 0
  for (const [rank, token] of ranking.entries()) {
    sum += token.weight
    if (sum >= threshold) return rank + 1
  }
  return ranking.length
}
