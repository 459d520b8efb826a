import { nmse, type ReferenceModel } from '@plumbline/reference'
import type { OpSite } from '../graph/op-site.ts'
import type { RecordedRun } from '../recording/recording.ts'
import {
  Arithmetic,
  ATTENTION_ROUNDINGS,
  type AttentionRounding,
  uniformArithmetic,
  WHOLE_ATTENTION,
  weightType,
} from './arithmetic.ts'
import { eightBitVariances, noiseThrough } from './expected-noise.ts'
import { NO_ROUNDING, ROUNDINGS, type Rounding, SCHEMES, type Scheme } from './rounding.ts'
import { LAYERS, PHASES, type Phase, type Sample, Sampler } from './sampled-ops.ts'

/** Ops that an engine computes with one kernel. */
export interface Family {
  /** Type of the weights, or `attention`, or `layers` where only layers as a whole can be replayed. */
  readonly kind: string
  readonly phase: Phase | 'both'
  /** Whether it says anything of the layers, not only of what follows them. */
  readonly inLayers: boolean
  /** For a verdict line. */
  readonly words: string
  /** 8 for steps as coarse as 8 bits or BF16 make, 16 for F16, 32 for none. */
  readonly bits: 8 | 16 | 32
  /**
   * `known`: the rounding leaves no more than float32 noise. `noise`: no rounding of the list gives these values, but they are no further off
   * than 8 bits make them. `nothing` explains them.
   */
  readonly explained: 'known' | 'noise' | 'nothing'
  /** The usual NMSE between what was recorded and what the rounding gives. */
  readonly left: number
}

/** How an engine rounds what its ops read, by what its ops gave. */
export interface Inferred {
  readonly arithmetic: Arithmetic
  readonly families: readonly Family[]
  /** The family of an op; undefined where it has none. */
  readonly familyOf: (site: OpSite, position: number) => Family | undefined
}

/** What is left in the usual row where the rounding is the right one: float32 sums. */
const KNOWN = 1e-10
/** Weights after the softmax that lie on a tie of F16 go either way. */
const KNOWN_ATTENTION = 1e-8
/**
 * Within a layer, float32 noise sends some values to the other side of a tie, and with them all that reads them, at later positions, too.
 * Where nothing is rounded, there are no ties.
 */
const KNOWN_LAYER = 1e-4
const KNOWN_UNROUNDED_LAYER = 1e-6
/** How many times the noise that 8 bits are expected to make the usual row may be off for its rounding to be one of 8 bits. */
const LIKE_NOISE = 3
/** So many standard errors are no chance. */
const SURELY = 6
/** So many ops of a family must be off alike for that to be its way of rounding. */
const AGREEING = 3
/** So many times as much is hardly more. */
const HARDLY_MORE = 4
/** What F16 sums of all positions' values may leave of attention. */
const HALF_ATTENTION = 1e-5

/** What the run states that it rounds: what no rounding of the list explains is excused as noise only of a run that states some. */
export interface StatedRounding {
  readonly matrices: boolean
  readonly attention: boolean
}

/**
 * Replays some ops of a run with every rounding, and takes for each family the one that leaves the least in the usual row: an op that
 * is wrong changes nothing in that. Undefined where nothing can be replayed. The run must be in GGUF's own layout.
 */
export function inferArithmetic(run: RecordedRun, model: ReferenceModel, stated: StatedRounding): Inferred | undefined {
  const sampler = new Sampler(run, model)
  const layers = sampler.hasOnlyOutputs ? layersFamily(sampler) : undefined
  const direct = matrixFamilies(sampler, stated)
  // Beside layers there is only the head, which alone says too little to be excused by noise: without a rounding of its own it has theirs.
  const matrices = layers === undefined ? direct : direct.filter(({ explained }) => explained === 'known')
  const attention = layers ?? attentionFamily(sampler, stated)
  if (matrices.length === 0 && attention === undefined) return undefined
  const promptLength = run.identity.promptTokenIds?.length ?? 0
  const find = (kind: string, position: number) =>
    matrices.find((family) => family.kind === kind && (family.phase === 'prefill') === position < promptLength)
  return {
    arithmetic: new Arithmetic(
      (kind, position) => layers?.scheme.of(kind) ?? find(kind, position)?.rounding ?? NO_ROUNDING,
      attention?.rounding,
    ),
    families: attention === undefined ? matrices : [...matrices, attention],
    familyOf: (site, position) => {
      if (site.op === 'attn_kqv') return attention
      return site.linear() === undefined ? undefined : find(weightType(site), position)
    },
  }
}

type MatrixFamily = Family & { readonly rounding: Rounding }

function matrixFamilies(sampler: Sampler, stated: StatedRounding): MatrixFamily[] {
  const tried = PHASES.flatMap((phase) =>
    [...sampler.matrices(phase)].map(([kind, samples]) => {
      const best = leastLeft(ROUNDINGS, { samples, storage: sampler.storage }, (rounding) =>
        uniformArithmetic(rounding),
      )
      return { kind, phase, samples, ...best, known: best.left <= Math.max(KNOWN, sampler.storage) }
    }),
  )
  return tried.map(({ kind, phase, samples, choice, left, known }): MatrixFamily => {
    const inLayers = samples.some(({ site }) => site.node.layer !== null)
    const family = { kind, phase, inLayers, left }
    if (known) return { ...family, explained: 'known', rounding: choice, words: choice.words, bits: choice.bits }
    // Many ops that agree may round in a way of their own; one or two that do not are wrong.
    const agree = new Set(samples.map(({ site }) => site.node.name)).size >= AGREEING
    if (stated.matrices && agree && isLikeNoise(samples)) {
      return {
        ...family,
        explained: 'noise',
        rounding: NO_ROUNDING,
        words: 'inputs rounded in an unknown way',
        bits: 8,
      }
    }
    return { ...family, explained: 'nothing', rounding: choice, words: choice.words, bits: choice.bits }
  })
}

function attentionFamily(
  sampler: Sampler,
  stated: StatedRounding,
): (Family & { rounding: AttentionRounding }) | undefined {
  const samples = PHASES.flatMap((phase) => sampler.ofOp('attn_kqv', phase))
  if (samples.length === 0) return undefined
  const { choice, left } = leastLeft(ATTENTION_ROUNDINGS, { samples, storage: sampler.storage }, (rounding) =>
    uniformArithmetic(NO_ROUNDING, rounding),
  )
  const known = left <= Math.max(choice === WHOLE_ATTENTION ? KNOWN : KNOWN_ATTENTION, sampler.storage)
  const explained = known ? 'known' : stated.attention && left <= HALF_ATTENTION ? 'noise' : 'nothing'
  const words = explained === 'noise' ? 'attention rounded in an unknown way' : choice.words
  const bits = known && choice === WHOLE_ATTENTION ? 32 : 16
  return { kind: 'attention', phase: 'both', inLayers: true, rounding: choice, explained, words, bits, left }
}

/** Where only the outputs of layers were recorded: every rounding of matrices with every one of attention. */
function layersFamily(sampler: Sampler): (Family & { scheme: Scheme; rounding: AttentionRounding }) | undefined {
  const [samples, decoded] = PHASES.map((phase) => sampler.ofOp('output', phase, LAYERS))
  if (samples!.length === 0) return undefined
  const choices = ATTENTION_ROUNDINGS.flatMap((attention) => SCHEMES.map((scheme) => ({ scheme, attention })))
  const arithmeticOf = ({ scheme, attention }: (typeof choices)[number]) =>
    new Arithmetic((kind) => scheme.of(kind), attention)
  const { choice, left: ofPrompt } = leastLeft(choices, { samples: samples!, storage: sampler.storage }, arithmeticOf)
  const ofDecoded = decoded!.length === 0 ? 0 : median(decoded!.map(({ error }) => error(arithmeticOf(choice))))
  const left = Math.max(ofPrompt, ofDecoded)
  const most = choice.scheme.bits === 32 ? KNOWN_UNROUNDED_LAYER : KNOWN_LAYER
  const explained = left <= Math.max(most, sampler.storage) ? 'known' : 'nothing'
  const { scheme, attention } = choice
  const bits = Math.min(scheme.bits, attention === WHOLE_ATTENTION ? 32 : 16) as Family['bits']
  const words = attention === WHOLE_ATTENTION ? scheme.words : `${scheme.words}, ${attention.words}`
  return { kind: 'layers', phase: 'both', inLayers: true, words, bits, explained, left, scheme, rounding: attention }
}

/**
 * The choice that leaves the least, by the geometric mean: an op that is wrong weighs the same on all of them. Or one before it that leaves
 * hardly more, or no more than storing the values does.
 */
function leastLeft<Choice>(
  choices: readonly Choice[],
  { samples, storage }: Samples,
  arithmetic: (choice: Choice) => Arithmetic,
): { choice: Choice; left: number } {
  const trials = choices.map((choice) => {
    const errors = samples.map((sample) => {
      const error = sample.error(arithmetic(choice))
      return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error // what overflows F16 leaves no number
    })
    return { choice, left: median(errors), mean: geometricMean(errors) }
  })
  const least = Math.min(...trials.map(({ mean }) => mean))
  return trials.find(({ mean }) => mean <= Math.max(HARDLY_MORE * least, storage))!
}

/** Of errors, none of them less than those of float32. */
function geometricMean(errors: readonly number[]): number {
  return Math.exp(errors.reduce((sum, error) => sum + Math.log(Math.max(error, 1e-15)), 0) / errors.length)
}

/** Whether what unrounded inputs leave is no more than 8 bits make, and of either sign: cutting off, or saturating, makes outputs smaller. */
function isLikeNoise(samples: readonly Sample[]): boolean {
  const noise = samples.map(({ site, recorded }) => {
    const right = site.right()
    const share = nmse(recorded, right) / noiseThrough(site.linear()!, eightBitVariances(site.input()), right)
    let along = 0
    let size = 0
    for (const [i, value] of right.entries()) {
      along += (recorded[i]! - value) * value
      size += value * value
    }
    return { share, along: size === 0 ? 0 : along / size }
  })
  const mean = noise.reduce((sum, { along }) => sum + along, 0) / noise.length
  const variance = noise.reduce((sum, { along }) => sum + (along - mean) ** 2, 0) / noise.length
  const isBiased = Math.abs(mean) > SURELY * Math.sqrt(variance / noise.length)
  return !isBiased && median(noise.map(({ share }) => share)) <= LIKE_NOISE
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.POSITIVE_INFINITY
}

interface Samples {
  readonly samples: readonly Sample[]
  /** What storing the values in a narrow type makes of them. */
  readonly storage: number
}
