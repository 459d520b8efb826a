import type { ReferenceModel } from '@plumbline/reference'
import type { Aligned } from '../alignment/align.ts'
import type { RunPair } from '../alignment/match-runs.ts'
import type { Arithmetic } from '../arithmetic/arithmetic.ts'
import { type Family, type Inferred, inferArithmetic, type StatedRounding } from '../arithmetic/infer-arithmetic.ts'
import { StoredTypes } from '../arithmetic/stored-type.ts'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import type { ProfileName } from '../comparison/comparison.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { type ReplayedCheckpoint, replayLocally } from './local-replay.ts'
import { printedRounding } from './printed-rounding.ts'
import { coarser, hasNarrowCache, type ProfileChoice, statedProfile } from './profile.ts'

/** What the candidate's ops themselves say: how they round, and whether each gives what its own inputs should. */
export interface OpEvidence extends ProfileChoice {
  /** In the order of computation; empty where nothing could be replayed. */
  readonly replayed: readonly ReplayedCheckpoint[]
  readonly arithmetic: { readonly candidate?: Arithmetic; readonly reference?: Arithmetic }
  /** Every op was shown to give what its own inputs should. */
  readonly isWhole: boolean
  /** What equality rests on, for the verdict line; undefined where the profile is so fine that it rests on the values alone. */
  readonly words?: string
  /** What would make it rest on more, where it rests on less than every op; undefined where nothing would. */
  readonly advice?: string
}

export interface EvidenceOptions {
  readonly profile?: ProfileName
  readonly model?: ReferenceModel
  readonly onProgress?: (rows: number, ofRows: number) => void
}

/**
 * Replays the candidate's ops where its profile is one of coarse arithmetic. What a side states of its arithmetic is believed only where
 * its ops cannot be asked.
 */
export function examineOps(
  aligned: Aligned,
  pair: RunPair,
  { profile, model, onProgress }: EvidenceOptions,
): OpEvidence {
  const stated = profile === undefined ? statedProfile(pair) : { profile, reason: 'asked for' }
  const nothing = { replayed: [], arithmetic: {}, isWhole: false }
  if (aligned.alignment.refusals.length > 0 || stated.profile === 'bit-exact' || stated.profile === 'float32') {
    return { ...stated, ...nothing }
  }
  if (model === undefined) {
    const advice = `${holdsOps(aligned.candidate.run) ? '' : 'record `ops` and '}give --model`
    return { ...stated, ...nothing, words: 'no op was replayed without the model', advice }
  }
  const why = whyNotReplayed(aligned.candidate.run, model)
  if (why !== undefined) return { ...stated, ...nothing, words: why, advice: 'record whole values of `ops`' }

  const candidate = inferArithmetic(aligned.candidate.run, model, statedRounding(pair.candidate))
  const reference =
    whyNotReplayed(aligned.reference.run, model) === undefined
      ? inferArithmetic(aligned.reference.run, model, statedRounding(pair.reference))
      : undefined
  const arithmetic = {
    ...(candidate && { candidate: candidate.arithmetic }),
    ...(reference && { reference: reference.arithmetic }),
  }
  const chosen = profile === undefined ? observedProfile(pair, candidate, reference) : stated
  if (candidate === undefined || !candidate.families.some(isOfLayers)) {
    const isInPart = holdsOps(aligned.candidate.run)
    const why = isInPart ? 'only a part of the values of ops was recorded' : 'ops within the layers were not recorded'
    const advice = isInPart ? 'record whole rows of `ops`' : RECORD_OPS
    const words = `${why}, so the whole pass is held to its noise alone`
    return { ...chosen, replayed: [], arithmetic, isWhole: false, words, advice }
  }
  const unknown = candidate.families.find(({ kind, explained }) => kind === 'layers' && explained === 'nothing')
  if (unknown !== undefined) {
    const words = 'how the candidate rounds is not known, so its layers could not be replayed'
    return { ...chosen, replayed: [], arithmetic, isWhole: false, words, advice: RECORD_OPS }
  }
  const replayed = replayLocally(aligned.candidate.run, model, candidate, { onProgress })
  return { ...chosen, replayed, arithmetic, ...weigh(replayed, candidate) }
}

/** How the candidate's ops show that it rounds, where it is judged as if it did not; undefined where they show nothing of the kind. */
export function unstatedRounding(
  { candidate }: Aligned,
  { profile }: ProfileChoice,
  model?: ReferenceModel,
): string | undefined {
  if (model === undefined || profile !== 'float32' || whyNotReplayed(candidate.run, model) !== undefined)
    return undefined
  const inferred = inferArithmetic(candidate.run, model, { matrices: false, attention: false })
  const rounding = inferred?.families.filter(({ explained, bits }) => explained === 'known' && bits < 32) ?? []
  return rounding.length === 0 ? undefined : roundingWords(rounding)
}

const RECORD_OPS = 'record `ops`'

/** Whether anything within a layer was recorded. */
const holdsOps = ({ checkpoints }: RecordedRun) =>
  Array.from(checkpoints.keys(), checkpointPlace).some((place) => place?.layer != null && place.op !== 'output')

/** Whether more than what follows the layers can be replayed. */
const isOfLayers = ({ inLayers }: Family) => inLayers

export function statedRounding(run: RecordedRun): StatedRounding {
  return {
    matrices: statedProfile({ candidate: run }).profile === 'quantised-activations',
    attention: hasNarrowCache(run.identity),
  }
}

/** Why a run's ops cannot be replayed whatever it recorded. */
export function whyNotReplayed(run: RecordedRun, { config, vocabSize }: ReferenceModel): string | undefined {
  if (printedRounding(run) > 0) return 'printed values are too coarse to replay ops on'
  const widths = new Map([
    ['token_embd', config.embeddingLength],
    ['output_norm', config.embeddingLength],
    ['logits', vocabSize],
  ])
  for (const [name, width] of widths) {
    const recorded = run.checkpoints.get(name)?.width ?? 0
    // 0: of its rows only some columns were recorded, and nobody said of how many.
    if (recorded !== 0 && recorded !== width) return 'the model that was given is another one'
  }
  return undefined
}

const OF_BITS = { 8: 'quantised-activations', 16: 'float16', 32: 'float32' } as const

/** The profile of the coarser side, by what its ops gave, or else by what it states. */
function observedProfile(
  pair: RunPair,
  candidate: Inferred | undefined,
  reference: Inferred | undefined,
): ProfileChoice {
  const sides = [observed('candidate', pair.candidate, candidate), observed('reference', pair.reference, reference)]
  const known = sides.filter((side) => side !== undefined)
  const silent = statedProfile({
    ...(sides[0] === undefined && { candidate: pair.candidate }),
    ...(sides[1] === undefined && { reference: pair.reference }),
  })
  return [...known, silent].reduce(coarser)
}

function observed(who: string, run: RecordedRun, inferred: Inferred | undefined): ProfileChoice | undefined {
  const stated = statedProfile({ [who]: run })
  // Values alone, or arithmetic that nothing can be told of.
  if (inferred === undefined || !inferred.families.some(isOfLayers)) return undefined
  if (inferred.families.some(({ kind, explained }) => kind === 'layers' && explained === 'nothing')) return undefined
  const stored = { F32: 32, F16: 16, BF16: 8 } as const
  const bits = [...inferred.families.filter(({ explained }) => explained !== 'nothing').map((family) => family.bits)]
  const least = Math.min(stored[new StoredTypes(run).usual], ...bits) as 8 | 16 | 32
  const profile = OF_BITS[least]
  const words = roundingWords(inferred.families.filter(({ bits }) => bits === least))
  const seen = inferred.families.some(({ explained }) => explained === 'nothing')
    ? 'gives what no rounding explains'
    : least === 32
      ? 'rounds nothing that its ops read'
      : `has ${words || 'values stored so'}, as its ops show`
  const disbelieved = profile === stated.profile ? '' : `, though it ${stated.reason.replace(`the ${who} `, '')}`
  return { profile, reason: `the ${who} ${seen}${disbelieved}` }
}

function roundingWords(families: readonly Family[]): string {
  return [...new Set(families.map(({ words }) => words))].join(' and ')
}

function weigh(
  replayed: readonly ReplayedCheckpoint[],
  { families }: Inferred,
): Pick<OpEvidence, 'isWhole' | 'words' | 'advice'> {
  let rows = 0
  let missing = 0
  let behind = 0
  let most = 0
  for (const { nmse, isBehind } of replayed) {
    if (isBehind) behind++
    for (const error of nmse) {
      rows++
      if (Number.isNaN(error)) missing++
      else most = Math.max(most, error)
    }
  }
  const what = families.some(({ kind }) => kind === 'layers') ? 'layer' : 'op'
  const unknown = families.some(({ explained }) => explained !== 'known')
  const how = `${roundingWords(families)}${unknown ? ', held to the noise of 8 bits' : ''}`
  const parts = [
    ...(missing === 0 ? [] : [`${missing} of ${rows} rows could not be replayed`]),
    ...(behind === 0 || what === 'layer'
      ? []
      : [`${behind} of ${replayed.length} with others before them that were not recorded`]),
  ]
  const part = parts.length === 0 ? '' : ` (${parts.join(', ')})`
  const isWhole = what === 'op' && !unknown && missing === 0 && behind === 0
  const words = `every ${what} gives what its own inputs should, with ${how}, to NMSE ${most.toPrecision(1)}${part}`
  const isHidden = what === 'layer' || missing > 0 || behind > 0
  return { isWhole, words, ...(isHidden && { advice: what === 'layer' ? RECORD_OPS : 'record all `ops`' }) }
}
