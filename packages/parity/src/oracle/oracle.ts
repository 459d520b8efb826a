import { PlumblineError } from '@plumbline/protocol'
import { firstMaximum, type ReferenceModel } from '@plumbline/reference'
import { type Arithmetic, uniformArithmetic } from '../arithmetic/arithmetic.ts'
import { Q8_BLOCKS } from '../arithmetic/rounding.ts'
import { graphNode } from '../graph/graph.ts'
import { ifAtHand, OpSite } from '../graph/op-site.ts'
import { plantedParameter } from '../mistakes/mistake.ts'
import { LiveValues } from './live-values.ts'
import { isPlantedAt, type Phase, type Planting } from './planting.ts'

export interface OracleOptions {
  /** To generate greedily after the prompt; 0 evaluates the prompt only. */
  readonly maxTokens?: number
  /** Tokens that end the answer. */
  readonly eosIds?: ReadonlySet<number>
  readonly planting?: Planting
  /** Q8: round the inputs of all matrices to 8 bits by blocks of 32, as quantised kernels do. */
  readonly activations?: 'F64' | 'Q8'
  /** In the place of what `activations` says. */
  readonly arithmetic?: Arithmetic
  /** How many tokens of the prompt are evaluated at once; all, unless told. */
  readonly chunk?: number
  /** Evaluated in the place of the tokens that the forward pass itself would choose. */
  readonly forcedTokenIds?: readonly number[]
}

/** One checkpoint over the positions of one chunk. `values` [count, width], to be copied by who keeps them. */
export interface OracleRecord {
  readonly name: string
  readonly layer: number | null
  readonly phase: Phase
  readonly pos: number
  readonly count: number
  readonly width: number
  readonly values: Float64Array
}

export interface OracleResult {
  readonly generatedTokenIds: readonly number[]
  readonly stopReason: 'EOS' | 'MAX_TOKENS'
  /** How much the mistake changed, at the op where it was made: how often, and NMSE over all of it. */
  readonly planted?: { readonly sites: number; readonly nmse: number }
}

/** The float64 forward pass over a prompt and its greedy continuation, right or with a mistake, checkpoint by checkpoint. */
export function runOracle(
  model: ReferenceModel,
  promptTokenIds: readonly number[],
  options: OracleOptions,
  sink: (record: OracleRecord) => void,
): OracleResult {
  const { maxTokens = 0, eosIds, planting, activations, chunk = promptTokenIds.length, forcedTokenIds } = options
  const { arithmetic = activations === 'Q8' ? uniformArithmetic(Q8_BLOCKS) : undefined } = options
  const live = new LiveValues(model, promptTokenIds, arithmetic)
  if (planting?.mistake.name === 'rows-of-other-request') {
    live.others.push(otherRequest(model, promptTokenIds, promptTokenIds.length + maxTokens))
  }
  const planted = { sites: 0, isSeen: false, difference: 0, size: 0 }
  const session = model.newSession()

  const evaluate = (ids: readonly number[], phase: Phase): Float64Array => {
    const logits = session.append(ids, (name, layer, { start, count }, width, values) => {
      const node = graphNode(name, model.config.layers)!
      const site = new OpSite(live, node, start, count)
      if (arithmetic?.befalls(site)) values.set(site.right())
      if (planting !== undefined && isPlantedAt(planting, node, phase)) plant(planting, site, values, planted)
      live.put(name, start, count, values)
      sink({ name, layer, phase, pos: start, count, width, values })
    })
    return logits.at(-1)!
  }

  let logits: Float64Array | undefined
  for (let at = 0; at < promptTokenIds.length; at += chunk) {
    logits = evaluate(promptTokenIds.slice(at, at + chunk), 'prefill')
  }
  const generatedTokenIds: number[] = []
  let stopReason: OracleResult['stopReason'] = 'MAX_TOKENS'
  while (generatedTokenIds.length < maxTokens) {
    const id = forcedTokenIds?.[generatedTokenIds.length] ?? firstMaximum(logits!)
    if (forcedTokenIds === undefined && eosIds?.has(id)) {
      stopReason = 'EOS'
      break
    }
    generatedTokenIds.push(id)
    live.tokenIds.push(id)
    // The last token is chosen, not evaluated.
    if (generatedTokenIds.length < maxTokens) logits = evaluate([id], 'decode')
  }
  if (planting !== undefined && !planted.isSeen) throw nothingToGetWrong(planting)
  return {
    generatedTokenIds,
    stopReason,
    ...(planting && { planted: { sites: planted.sites, nmse: planted.difference / planted.size } }),
  }
}

function plant(
  { mistake, parameter }: Planting,
  site: OpSite,
  values: Float64Array,
  planted: { sites: number; isSeen: boolean; difference: number; size: number },
): void {
  const wrong = ifAtHand(() => mistake.compute(site, parameter ?? plantedParameter(mistake, site)))
  if (wrong === undefined) return
  const right = site.right()
  planted.sites++
  for (const [i, value] of wrong.entries()) {
    if (Math.fround(value) !== Math.fround(right[i]!)) planted.isSeen = true
    planted.difference += (value - right[i]!) ** 2
    planted.size += right[i]! ** 2
    values[i] = value
  }
}

/** What another request's forward pass holds: the same prompt backwards, again and again, as long as it is needed. */
function otherRequest(model: ReferenceModel, promptTokenIds: readonly number[], length: number): LiveValues {
  const ids = otherPrompt(promptTokenIds, length)
  const live = new LiveValues(model, ids)
  model.forward(ids, { checkpoint: (name, _, { start, count }, __, values) => live.put(name, start, count, values) })
  return live
}

export function otherPrompt(promptTokenIds: readonly number[], length: number): number[] {
  const backwards = promptTokenIds.toReversed()
  return Array.from({ length }, (_, i) => backwards[i % backwards.length]!)
}

function nothingToGetWrong({ mistake, parameter, op, layer, phase }: Planting): PlumblineError {
  const place = `${layer === undefined ? '' : `layer ${layer}, `}${op}${phase === undefined ? '' : ` in ${phase}`}`
  const name = parameter === undefined ? mistake.name : `${mistake.name}=${parameter}`
  const message = `${name} changes nothing at ${place}: it is right, or this model, prompt or phase has nothing of the kind to get wrong`
  return new PlumblineError('INVALID_OPTION', message, { option: '--mistake' })
}
