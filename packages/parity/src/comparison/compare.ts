import { worstExit } from '@plumbline/protocol'
import type { ReferenceModel, Tokenizer } from '@plumbline/reference'
import { type Aligned, type AlignedSide, align, type CommonRows } from '../alignment/align.ts'
import { matchRuns, type RunPair } from '../alignment/match-runs.ts'
import { without } from '../alignment/row-cover.ts'
import { forceTeacher } from '../alignment/teacher-forcing.ts'
import { contradictions, uncheckedSums } from '../fitness/contradictions.ts'
import { driftAcrossRuns } from '../fitness/drift-across-runs.ts'
import { Fitness } from '../fitness/fitness.ts'
import { HeldToModel } from '../fitness/held-to-model.ts'
import { unfitRuns } from '../fitness/unmatched-runs.ts'
import { wrongStatistics } from '../formats/check-values.ts'
import { compareRows, type MeasuredCheckpoint, showRows } from '../metrics/compare-rows.ts'
import type { RecordedRun, Recording } from '../recording/recording.ts'
import { coverageOf, tooLittle } from '../verdict/coverage.ts'
import { compareGreedy, firstUnfavoured } from '../verdict/greedy.ts'
import { greedyNoise } from '../verdict/ladder.ts'
import { type OpEvidence, unstatedRounding } from '../verdict/op-evidence.ts'
import { disbelievedDecimals } from '../verdict/printed-rounding.ts'
import { decideVerdict, type Evidence } from '../verdict/verdict.ts'
import type { Comparison, GreedyFinding, ProfileName, Side, UnfitFinding } from './comparison.ts'
import { findDivergence } from './find-divergence.ts'

export interface CompareOptions {
  /** Chosen by what the sides say of their arithmetic, unless given. */
  readonly profile?: ProfileName
  /** For head lengths, replayed ops and causes. */
  readonly model?: ReferenceModel
  /** For token ids as text. */
  readonly tokenizer?: Tokenizer
  /** What one side leaves out of its identity is then a reason to refuse. */
  readonly strictIdentity?: boolean
  /** Equality of a part of the values is then all that is asked for; the verdict still says that it is a part. */
  readonly allowPartial?: boolean
  /** Values within coarse noise are then enough though not every op could be replayed; the verdict still says that it is weaker. */
  readonly allowWeaker?: boolean
  readonly onProgress?: (rows: number, ofRows: number) => void
}

/** The worst of `compareRecordings`. */
export function compare(candidate: Recording, reference: Recording, options: CompareOptions = {}): Comparison {
  const comparisons = compareRecordings(candidate, reference, options)
  const worst = worstExit(comparisons.map(({ verdict }) => verdict.exitCode as Exclude<typeof verdict.exitCode, 2>))
  return comparisons.find(({ verdict }) => verdict.exitCode === worst)!
}

/** Runs of the reference that no run of the candidate is set against. */
interface Unmatched {
  readonly runs: readonly RecordedRun[]
  readonly unfit: readonly UnfitFinding[]
}

/** Each run of the candidate against the run of the reference that has the same prompt. */
export function compareRecordings(
  candidate: Recording,
  reference: Recording,
  options: CompareOptions = {},
): readonly Comparison[] {
  const [ours, theirs] = [withWrongStatistics(candidate), withWrongStatistics(reference)]
  const pairs = matchRuns(candidate, reference)
  const runs = reference.runs.filter((run) => pairs.every((pair) => pair.reference !== run))
  const unmatched = { runs, unfit: unfitRuns(runs) }
  return pairs.map((pair) => compareRuns(ours, theirs, pair, unmatched, options))
}

/** What the records of a trace say of their values must be true of them. */
function withWrongStatistics(recording: Recording): Recording {
  const wrong = wrongStatistics(recording)
  return wrong.length === 0 ? recording : { ...recording, faults: [...recording.faults, ...wrong] }
}

/** One pair of runs; where their greedy continuations part by a tie, it goes on with the candidate's tokens if that can be done. */
function compareRuns(
  candidate: Recording,
  reference: Recording,
  pair: RunPair,
  unmatched: Unmatched,
  options: CompareOptions,
): Comparison {
  const plain = comparePair(candidate, reference, pair, unmatched, options)
  if (plain.greedy?.kind !== 'tie' || plain.alignment.refusals.length > 0) return plain
  const forced = forceTeacher(pair.candidate, pair.reference, reference.runs, options.model)
  if (forced === undefined) return plain
  const message = `${plain.greedy.message}; compared on with the candidate's tokens to position ${forced.until}, by ${forced.source}`
  const greedy = { ...plain.greedy, message, forcedUntil: forced.until }
  const rest = { ...unmatched, runs: unmatched.runs.filter((run) => run !== forced.run) }
  return comparePair(candidate, reference, { ...pair, reference: forced.reference }, rest, options, greedy)
}

/** `greedy`: what the continuations were found to be, where it is known already. */
function comparePair(
  candidate: Recording,
  reference: Recording,
  pair: RunPair,
  unmatched: Unmatched,
  options: CompareOptions,
  known?: GreedyFinding,
): Comparison {
  const { model, tokenizer, strictIdentity = false, allowPartial = false, allowWeaker = false } = options
  const aligned = align(pair.candidate, pair.reference, {
    ...(model !== undefined && { model }),
    ...(tokenizer !== undefined && { tokenizer }),
  })
  const { measured, unfit } = lookAtRows(aligned, options)
  const found = findDivergence(aligned, pair, measured, candidate, options)
  const { evidence, floors, checkpoints, divergence } = found
  const { profile, reason } = evidence
  const decode = tokenizer === undefined ? {} : { decode: (id: number) => tokenizer.decodeText([id]) }
  const alignment = {
    ...aligned.alignment,
    unverified: [
      ...aligned.alignment.unverified,
      ...ofEach(candidate.unguarded ?? [], reference.unguarded ?? []),
      ...ofEach([disbelievedDecimals(pair.candidate)], [disbelievedDecimals(pair.reference)]),
    ],
  }
  const unchecked = ofEach(
    [uncheckedSums(aligned.candidate.run, aligned.candidate.covers), ...found.unchecked],
    [uncheckedSums(aligned.reference.run, aligned.reference.covers)],
  )
  const comparable = alignment.refusals.length === 0
  const greedy =
    known ??
    (alignment.refusals.every(({ kind }) => kind === 'nothing-in-common')
      ? compareGreedy(pair.candidate, pair.reference, { profile, floors, checkpoints, divergence, ...decode })
      : undefined)
  const held = found.agrees && comparable && model !== undefined ? new HeldToModel(model) : undefined
  // Where the sides differ, which of them is wrong is for the diagnosis to say.
  const sides = {
    candidate: sideOf(candidate, pair.candidate, [
      ...unfit.candidate,
      ...driftAcrossRuns(pair.candidate, candidate.runs),
      ...(divergence === undefined ? contradictions(aligned.candidate.run, aligned.candidate.covers) : []),
      ...(divergence === undefined ? (held?.contradictions(aligned.candidate) ?? []) : []),
    ]),
    reference: sideOf(reference, pair.reference, [
      ...unfit.reference,
      ...driftAcrossRuns(pair.reference, reference.runs),
      ...(divergence === undefined ? contradictions(aligned.reference.run, aligned.reference.covers) : []),
      ...(divergence?.side === 'both' ? [] : (held?.contradictions(aligned.reference) ?? [])),
      ...notGreedy(pair.reference, greedyNoise(profile, floors)),
      ...unmatched.unfit,
    ]),
  }
  const coverage = coverageOf(aligned, measured)
  const verdict = decideVerdict({
    ...sides,
    alignment,
    checkpoints,
    profile,
    coverage,
    divergence,
    greedy,
    tooLittle: comparable ? tooLittle(aligned, measured) : undefined,
    evidence: evidenceOf(evidence, found.unmeasured),
    unstated: divergence === undefined ? undefined : unstatedRounding(aligned, evidence, model),
    unmatched: unmatched.runs.map(({ id }) => id),
    strictIdentity,
    allowPartial,
    allowWeaker,
    ...decode,
  })
  return {
    verdict,
    profile,
    profileReason: reason,
    ...sides,
    alignment,
    unchecked,
    checkpoints,
    coverage,
    ...(divergence !== undefined && { divergence }),
    ...(greedy !== undefined && { greedy }),
  }
}

function evidenceOf({ words, isWhole, advice }: OpEvidence, unmeasured: string | undefined): Evidence | undefined {
  if (words === undefined) return undefined
  return { words: unmeasured === undefined ? words : `${words}; ${unmeasured}`, isWeak: !isWhole, advice }
}

function ofEach(candidate: readonly (string | undefined)[], reference: readonly (string | undefined)[]): string[] {
  const of = (side: string, what: string | undefined) => (what === undefined ? [] : [`the ${side}'s ${what}`])
  return [...candidate.flatMap((what) => of('candidate', what)), ...reference.flatMap((what) => of('reference', what))]
}

interface Looked {
  readonly measured: MeasuredCheckpoint[]
  readonly unfit: { readonly candidate: readonly UnfitFinding[]; readonly reference: readonly UnfitFinding[] }
}

/** Every row of both sides is looked at for fitness, whether there is anything to set it against or not. */
function lookAtRows(aligned: Aligned, { onProgress }: CompareOptions): Looked {
  const { candidate, reference, common } = aligned
  const fitness = {
    candidate: new Fitness(candidate.run, candidate.covers),
    reference: new Fitness(reference.run, reference.covers),
  }
  const options = onProgress === undefined ? {} : { onProgress }
  const measured = compareRows(candidate, reference, common, fitness, options)
  const taken = new Map(common.map(({ name, stretches }) => [name, stretches]))
  lookAtRest(candidate, fitness.candidate, taken)
  lookAtRest(reference, fitness.reference, taken)
  return { measured, unfit: { candidate: fitness.candidate.finish(), reference: fitness.reference.finish() } }
}

/** The metrics of all common rows, whatever they are worth. */
export function measureRows(aligned: Aligned): MeasuredCheckpoint[] {
  return lookAtRows(aligned, {}).measured
}

function lookAtRest(
  { run, covers }: AlignedSide,
  fitness: Fitness,
  taken: ReadonlyMap<string, CommonRows['stretches']>,
): void {
  for (const [name, cover] of covers) {
    const checkpoint = run.checkpoints.get(name)!
    for (const { start, end, slab } of without(cover.stretches, taken.get(name) ?? [])) {
      showRows(fitness, name, checkpoint.slab(slab), start, end)
    }
    for (const { slab } of cover.duplicates) fitness.duplicate(name, checkpoint.slab(slab))
  }
}

/** A greedy continuation of the reference that its own logits contradict. */
function notGreedy(run: RecordedRun, noise: number): UnfitFinding[] {
  const unfavoured = firstUnfavoured(run, Number.POSITIVE_INFINITY, noise)
  if (unfavoured === undefined) return []
  const { position, message } = unfavoured
  const { place } = run.checkpoints.get('logits')!.slab(0)
  return [
    {
      kind: 'contradiction',
      message,
      checkpoint: 'logits',
      position,
      ...place,
    },
  ]
}

function sideOf({ path, format, faults }: Recording, run: RecordedRun, unfit: readonly UnfitFinding[]): Side {
  return { path, format, run: run.id, identity: run.identity, faults, unfit }
}
