import { fileURLToPath } from 'node:url'
import { checkpointNames } from '@plumbline/protocol'
import { asset, committedAsset } from '@plumbline/protocol/testing'
import { loadModel, loadTokenizer, type ReferenceModel, readGguf } from '@plumbline/reference'
import { compareRecordings } from '../src/comparison/compare.ts'
import type { Comparison, Op } from '../src/comparison/comparison.ts'
import { graphNode } from '../src/graph/graph.ts'
import { MISTAKES } from '../src/mistakes/catalogue.ts'
import type { Mistake } from '../src/mistakes/mistake.ts'
import { recordOracle } from '../src/oracle/memory-oracle.ts'
import { otherPrompt } from '../src/oracle/oracle.ts'
import { parsePlanting } from '../src/oracle/planting.ts'
import { memoryRecording } from '../src/recording/memory-recording.ts'
import type { RecordedRun } from '../src/recording/recording.ts'

/** A model and a prompt that mistakes are planted in. */
export interface Subject {
  readonly name: string
  readonly model: ReferenceModel
  readonly promptTokenIds: readonly number[]
}

export const SUBJECTS: Readonly<Record<string, () => Subject>> = {
  'stories260K-f32': () =>
    withText(
      'stories260K-f32',
      committedAsset('stories260K/stories260K-f32.gguf'),
      'Once upon a time there was a cat.',
    ),
  'haiku-nano-q8_0': () => {
    const path = fileURLToPath(new URL('../../../models/haiku-nano/haiku-nano-q8_0.gguf', import.meta.url))
    return withText('haiku-nano-q8_0', path, 'Write a haiku about the rain in autumn.')
  },
  'random-qwen2-q4_k_m': () => withRandomPrompt('random-qwen2-q4_k_m'),
  'random-llama-q6_k': () => withRandomPrompt('random-llama-q6_k'),
}

/** Those of SUBJECTS that need no assets. */
export const COMMITTED_SUBJECTS = ['stories260K-f32', 'haiku-nano-q8_0'] as const

function withText(name: string, path: string, text: string): Subject {
  const gguf = readGguf(path)
  return { name, model: loadModel(gguf), promptTokenIds: loadTokenizer(gguf).encode(text) }
}

/** Ids from all over the vocabulary, none twice. */
function withRandomPrompt(name: string): Subject {
  const model = loadModel(readGguf(asset(`models/${name}.gguf`)))
  return { name, model, promptTokenIds: Array.from({ length: 12 }, (_, i) => (1 + i * 251) % model.vocabSize) }
}

const PHASES = ['prefill', 'decode'] as const
type Phase = (typeof PHASES)[number]
export const MAX_TOKENS = 5

export interface PlantedCase {
  readonly subject: string
  readonly mistake: string
  readonly checkpoint: string
  readonly phase: Phase
  readonly activations: 'F64' | 'Q8'
  /** In the place of the parameter that the mistake itself plants. */
  readonly value?: number
}

export interface PlantedResult extends PlantedCase {
  /** NMSE at the op where it was made. */
  readonly size: number
  readonly outcome: 'not applicable' | 'below tolerance' | 'missed' | 'found'
  readonly found?: string
  /** Checkpoints between the one found and the one planted. */
  readonly distance?: number
  readonly origin?: string
  readonly cause?: string
  readonly confidence?: string
  readonly message?: string
  /** Whether it is named among what explains the difference as well as the cause does, or nearly. */
  readonly asAlternative?: boolean
}

/** Every mistake in the first, the middle and the last layer, in prefill and in decoding, its ops taken in turn. */
export function casesOf(subject: Subject, activations: PlantedCase['activations'] = 'F64'): PlantedCase[] {
  return MISTAKES.flatMap((mistake) =>
    PHASES.flatMap((phase) =>
      placesOf(mistake, subject.model.config.layers).map((checkpoint) => ({
        subject: subject.name,
        mistake: mistake.name,
        checkpoint,
        phase,
        activations,
      })),
    ),
  )
}

/** Parameters that no list has: they must be found from what was recorded. */
const VALUES: Readonly<Record<string, readonly number[]>> = {
  'rope-base': [40_000, 123],
  'rope-scaling': [3, 1.5],
  'rope-offset': [7, -4],
  'sliding-window': [3, 7],
  'weight-row-shifted': [-1, 5],
  'norm-epsilon': [0.037, 0.00021],
  'kv-row-stale': [2, 4],
  'kv-key-stale': [3],
  'kv-value-stale': [3],
  'kv-row-missing': [2],
  'kv-key-missing': [2],
  'kv-value-missing': [4],
}

/** Mistakes with those parameters, in every place and phase. */
export function casesOfValues(subject: Subject): PlantedCase[] {
  return casesOf(subject).flatMap((planted) => (VALUES[planted.mistake] ?? []).map((value) => ({ ...planted, value })))
}

/** Every kind in every phase, in one place each, the places taken in turn. */
export function oneOfEachKind(cases: readonly PlantedCase[]): PlantedCase[] {
  const kinds = [...new Set(cases.map(({ mistake }) => mistake))]
  return kinds.flatMap((kind, turn) =>
    PHASES.map((phase, i) => {
      const places = cases.filter((planted) => planted.mistake === kind && planted.phase === phase)
      return places[(turn + i) % places.length]!
    }),
  )
}

function placesOf({ ops }: Mistake, layers: number): string[] {
  const isGlobal = (op: Op) => graphNode(op, layers) !== undefined
  const inLayers = ops.filter((op) => !isGlobal(op))
  const chosen = [0, Math.floor(layers / 2), layers - 1]
  const ofLayers =
    inLayers.length === 0 ? [] : chosen.map((layer, i) => `blk.${layer}.${inLayers[i % inLayers.length]}`)
  return [...ofLayers, ...ops.filter(isGlobal)]
}

/** Plants mistakes in one model and lets `compare` find them. */
export class Planter {
  readonly subject: Subject
  readonly #maxTokens: number
  readonly #reference: RecordedRun
  readonly #other: RecordedRun

  /** `reference`: the oracle's own, unless another engine's recording of the prompt alone is given. */
  constructor(subject: Subject, reference?: RecordedRun) {
    const { model, promptTokenIds } = subject
    this.subject = subject
    this.#maxTokens = reference === undefined ? MAX_TOKENS : 0
    this.#reference = reference ?? recordOracle(model, promptTokenIds, { maxTokens: MAX_TOKENS }).run
    const otherIds = otherPrompt(promptTokenIds, promptTokenIds.length + this.#maxTokens)
    this.#other = recordOracle(model, otherIds, { id: 'other request' }).run
  }

  run(planted: PlantedCase): PlantedResult {
    const { model, promptTokenIds } = this.subject
    const { mistake, checkpoint, phase, activations, value } = planted
    const given = value === undefined ? '' : `=${value}`
    const planting = parsePlanting(`${mistake}${given}@${checkpoint}:${phase}`, model)
    let recorded: ReturnType<typeof recordOracle>
    try {
      recorded = recordOracle(model, promptTokenIds, { maxTokens: this.#maxTokens, planting, activations })
    } catch (error) {
      if (!(error as Error).message.includes('nothing of the kind')) throw error
      return { ...planted, size: 0, outcome: 'not applicable' }
    }
    const size = recorded.result.planted!.nmse
    const comparison = this.#compare(recorded.run, mistake)
    const { outcome } = comparison.verdict
    if (outcome !== 'diverged' && outcome !== 'untrusted') {
      const isLess = size <= toleranceAt(checkpoint, comparison)
      return { ...planted, size, outcome: isLess ? 'below tolerance' : 'missed' }
    }
    return { ...planted, size, outcome: 'found', ...this.#finding(planted, comparison) }
  }

  #compare(candidate: RecordedRun, mistake: string): Comparison {
    // Another request's rows can be known for what they are only where that request was recorded, too.
    const others = mistake === 'rows-of-other-request' ? [this.#other] : []
    const comparisons = compareRecordings(
      memoryRecording([candidate, ...others]),
      memoryRecording([this.#reference, ...others]),
      { model: this.subject.model },
    )
    return comparisons.find((comparison) => comparison.candidate.run === candidate.id)!
  }

  #finding({ mistake, checkpoint }: PlantedCase, { divergence, candidate }: Comparison): Partial<PlantedResult> {
    const found = divergence?.checkpoint ?? candidate.unfit[0]?.checkpoint
    if (found === undefined) return {}
    const names = checkpointNames(this.subject.model.config.layers)
    const cause = divergence?.cause
    return {
      found,
      distance: names.indexOf(found) - names.indexOf(checkpoint),
      ...(divergence && { origin: divergence.origin }),
      ...(cause && {
        cause: cause.mistake,
        confidence: cause.confidence,
        message: cause.message,
        asAlternative: cause.alternatives.includes(mistake),
      }),
    }
  }
}

/** What an op may be off by: from its own inputs where it was replayed, else from the reference. */
function toleranceAt(checkpoint: string, { checkpoints }: Comparison): number {
  const { local, tolerance } = checkpoints.find(({ name }) => name === checkpoint)!
  return local === undefined ? tolerance : Math.min(...local.tolerances)
}

export interface Tally {
  readonly kinds: number
  readonly traces: number
  readonly detected: number
  readonly exactOp: number
  readonly withinOneOp: number
  readonly rightCause: number
  /** The right cause, or one that explains the data as well and stands beside it. */
  readonly causeNamed: number
}

/** Over those that are large enough to be a divergence at all. */
export function tally(results: readonly PlantedResult[]): Tally {
  const counted = results.filter(({ outcome }) => outcome === 'found' || outcome === 'missed')
  const count = (is: (result: PlantedResult) => boolean) => counted.filter(is).length
  const isRight = ({ cause, mistake }: PlantedResult) => cause === mistake
  return {
    kinds: new Set(counted.map(({ mistake }) => mistake)).size,
    traces: counted.length,
    detected: count(({ outcome }) => outcome === 'found'),
    exactOp: count(({ distance }) => distance === 0),
    withinOneOp: count(({ distance }) => distance !== undefined && Math.abs(distance) <= 1),
    rightCause: count(isRight),
    causeNamed: count((result) => isRight(result) || result.asAlternative === true),
  }
}
