import type { ReferenceModel, Tokenizer } from '@plumbline/reference'
import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import type { Alignment, Refusal } from '../comparison/comparison.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { compareIdentities } from './identity.ts'
import { mapRuns } from './mappings.ts'
import type { NumberRows } from './number-rows.ts'
import { refuseModel } from './refuse-model.ts'
import { type CommonStretch, commonStretches, coverRows, type RowCover } from './row-cover.ts'
import { commonPrefix, continuation, refusePrompts } from './token-ids.ts'

export interface AlignOptions {
  readonly model?: ReferenceModel
  readonly tokenizer?: Tokenizer
}

/** A run with its layout brought in line, and which slab to read for each position. */
export interface AlignedSide {
  readonly run: RecordedRun
  readonly covers: ReadonlyMap<string, RowCover>
}

/** Positions of one checkpoint that both sides hold. */
export interface CommonRows {
  readonly name: string
  readonly width: number
  readonly stretches: NumberRows<CommonStretch>
}

export interface Aligned {
  readonly alignment: Alignment
  readonly candidate: AlignedSide
  readonly reference: AlignedSide
  /** Empty where the sides are not comparable. */
  readonly common: readonly CommonRows[]
}

/** What may be set against what, decided before any number is formed. */
export function align(candidate: RecordedRun, reference: RecordedRun, options: AlignOptions): Aligned {
  const { model, tokenizer } = options
  const heads = model && { headLength: model.config.keyLength, ropePairing: model.config.ropePairing }
  const mapped = mapRuns(candidate, reference, heads ?? {})
  const ours = coverRun(mapped.candidate.run)
  const theirs = coverRun(mapped.reference.run)
  const decode = tokenizer === undefined ? undefined : (id: number) => tokenizer.decodeText([id])
  const prompts = refusePrompts(candidate.identity, reference.identity, decode)
  const { refusals, unverified } = compareIdentities(candidate.identity, reference.identity)
  const unmapped = [...mapped.candidate.unmapped, ...mapped.reference.unmapped]
  const excluded = new Set(unmapped.map(([name]) => name))
  const { limit, note } = comparablePositions(ours, theirs)

  const common: CommonRows[] = []
  const shapes: Refusal[] = []
  for (const [name, cover] of ours.covers) {
    const other = theirs.covers.get(name)
    if (other === undefined || excluded.has(name)) continue
    const width = ours.run.checkpoints.get(name)!.width
    const otherWidth = theirs.run.checkpoints.get(name)!.width
    if (width !== otherWidth && width !== 0 && otherWidth !== 0) {
      shapes.push({ kind: 'shape', message: `${name} has ${width} values a row against ${otherWidth}` })
      continue
    }
    const stretches = commonStretches(cover.stretches, other.stretches, limit)
    if (stretches.length > 0) common.push({ name, width: Math.max(width, otherWidth), stretches })
  }
  const ofAnother = model && (refuseModel('candidate', candidate, model) ?? refuseModel('reference', reference, model))
  const all: Refusal[] = [
    ...(prompts === undefined ? [] : [prompts]),
    ...refusals,
    ...shapes.slice(0, 3),
    ...(ofAnother === undefined ? [] : [ofAnother]),
  ]
  if (all.length === 0 && common.length === 0) {
    all.push({ kind: 'nothing-in-common', message: nothingInCommon(ours, theirs) })
  }
  return {
    alignment: {
      refusals: all,
      unverified: [
        ...unverified,
        ...(note === undefined ? [] : [note]),
        ...[...new Set(unmapped.map(([, reason]) => reason))].map((reason) => `${[...excluded].join(', ')}: ${reason}`),
      ],
      mappings: [
        ...mapped.candidate.mappings.map((mapping) => `candidate: ${mapping}`),
        ...mapped.reference.mappings.map((mapping) => `reference: ${mapping}`),
      ],
      promptTokenIds: candidate.identity.promptTokenIds ?? [],
      onlyCandidate: [...ours.covers.keys()].filter((name) => !theirs.covers.has(name)),
      onlyReference: [...theirs.covers.keys()].filter((name) => !ours.covers.has(name)),
    },
    candidate: ours,
    reference: theirs,
    common: all.length === 0 ? inOrder(common) : [],
  }
}

function inOrder(common: CommonRows[]): CommonRows[] {
  return common.sort((a, b) => checkpointPlace(a.name)!.order - checkpointPlace(b.name)!.order)
}

/** A run as it is, and which slab to read for each position. */
export function coverRun(run: RecordedRun): AlignedSide {
  const covers = new Map<string, RowCover>()
  for (const [name, checkpoint] of run.checkpoints) {
    // What another engine calls by a name of its own cannot be set against anything.
    if (checkpointPlace(name) !== undefined) covers.set(name, coverRows(checkpoint))
  }
  return { run, covers }
}

/** Beyond the prompt a position has the same input only where the tokens generated so far are stated and the same. */
function comparablePositions(ours: AlignedSide, theirs: AlignedSide): { limit: number; note?: string } {
  const prompt = ours.run.identity.promptTokenIds?.length ?? 0
  const last = Math.min(lastPosition(ours), lastPosition(theirs))
  if (last < prompt) return { limit: prompt }
  const a = continuation(ours.run)
  const b = continuation(theirs.run)
  if (a === undefined || b === undefined) {
    const who = a === undefined ? 'candidate' : 'reference'
    return { limit: prompt, note: `positions ${prompt} to ${last}: the ${who} does not state its generated tokens` }
  }
  const limit = prompt + commonPrefix(a, b)
  if (limit > last) return { limit }
  return { limit, note: `positions ${limit} to ${last}: the generated tokens are not the same any more` }
}

function lastPosition({ covers }: AlignedSide): number {
  let last = -1
  for (const { stretches } of covers.values()) last = Math.max(last, (stretches.at(-1)?.end ?? 0) - 1)
  return last
}

function nothingInCommon(ours: AlignedSide, theirs: AlignedSide): string {
  const few = (side: AlignedSide) => {
    const names = [...side.covers.keys()]
    if (names.length === 0) return 'nothing that is known'
    return names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ')
  }
  return `no checkpoint and position is in both: the candidate holds ${few(ours)}, the reference ${few(theirs)}`
}
