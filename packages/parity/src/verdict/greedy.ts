import { coverRows, stretchAt } from '../alignment/row-cover.ts'
import { commonPrefix } from '../alignment/token-ids.ts'
import type { ComparedCheckpoint, Divergence, GreedyFinding, ProfileName } from '../comparison/comparison.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { greedyNoise } from './ladder.ts'
import type { OfKind } from './noise-floors.ts'

/** How many times the noise a lead may be for the sides to have drifted apart rather than one of them to be wrong. */
const DRIFT = 8

export interface GreedyContext {
  readonly profile: ProfileName
  readonly floors: OfKind | undefined
  readonly checkpoints: readonly ComparedCheckpoint[]
  readonly divergence: Omit<Divergence, 'origin'> | undefined
  /** The text of a token, where a tokenizer is at hand. */
  readonly decode?: (id: number) => string
}

/** Where greedy continuations part, and whether noise can have parted them. Undefined where not both sides are greedy. */
export function compareGreedy(
  candidate: RecordedRun,
  reference: RecordedRun,
  { profile, floors, checkpoints, divergence, decode }: GreedyContext,
): GreedyFinding | undefined {
  const ours = candidate.greedy?.tokenIds
  const theirs = reference.greedy?.tokenIds
  if (ours === undefined || theirs === undefined) return undefined
  const at = commonPrefix(ours, theirs)
  const compared = Math.min(ours.length, theirs.length)
  if (compared === 0) return undefined
  const unfavoured = firstUnfavoured(candidate, at, greedyNoise(profile, floors))
  if (unfavoured !== undefined) return { compared, parted: unfavoured.index, kind: 'bug', message: unfavoured.message }
  if (at === compared) {
    return { compared, kind: 'same', message: `the greedy continuations are the same for ${compared} tokens` }
  }
  const position = (candidate.identity.promptTokenIds?.length ?? 0) + at - 1
  const gap = leadOf(reference, position, theirs[at]!, ours[at]!) ?? reference.greedy?.gaps?.[at]
  const noise = noiseAt(checkpoints, position) ?? greedyNoise(profile, floors)
  const token = (id: number) => (decode === undefined ? `${id}` : `${id} ${JSON.stringify(decode(id))}`)
  const parted = `token ${at + 1} of the continuation is ${token(ours[at]!)} against ${token(theirs[at]!)}`
  const own = leadOf(candidate, position, ours[at]!, theirs[at]!)
  const finding = { compared, parted: at, noise, ...(gap !== undefined && { gap }) }
  if (own !== undefined && own < 0) {
    const message = `${parted}, though the candidate's own logits favour the other by ${number(-own)}: its sampling is wrong`
    return { ...finding, kind: 'bug', message }
  }
  if (gap === undefined) {
    const message = `${parted}; by how much the reference leads was not recorded`
    return { ...finding, kind: 'bug', message }
  }
  const set = `${parted}; the reference leads by ${number(gap)}, the noise is ${number(noise)}`
  if (gap <= noise) return { ...finding, kind: 'tie', message: `${set}: a tie` }
  const upToHere = divergence !== undefined && divergence.position <= position
  if (!upToHere && gap <= DRIFT * noise) return { ...finding, kind: 'drift', message: `${set}: the sides drift apart` }
  return { ...finding, kind: 'bug', message: `${set}: noise cannot do that` }
}

/**
 * The first of a run's `count` first greedy tokens that its own logits do not put first, though they lead by more than noise; undefined
 * where there is none.
 */
export function firstUnfavoured(
  run: RecordedRun,
  count: number,
  noise: number,
): { index: number; position: number; message: string } | undefined {
  const ids = run.greedy?.tokenIds ?? []
  const prompt = run.identity.promptTokenIds?.length ?? 0
  for (let index = 0; index < Math.min(count, ids.length); index++) {
    const position = prompt + index - 1
    const logits = logitsAt(run, position)
    const chosen = logits?.of(ids[index]!)
    if (logits === undefined || chosen === undefined) continue
    const { id, value } = logits.first()
    if (!(value - chosen > noise)) continue
    const message = `token ${index + 1} of the continuation is ${ids[index]}, though its own logits put ${id} first by ${number(value - chosen)}`
    return { index, position, message }
  }
  return undefined
}

/** By how much a run's logits at a position put one token before another; undefined where it does not hold both. */
function leadOf(run: RecordedRun, position: number, token: number, over: number): number | undefined {
  const logits = logitsAt(run, position)
  const first = logits?.of(token)
  const second = logits?.of(over)
  return first === undefined || second === undefined ? undefined : first - second
}

interface Logits {
  /** Undefined for a token whose logit was not recorded. */
  of(id: number): number | undefined
  first(): { id: number; value: number }
}

function logitsAt(run: RecordedRun, position: number): Logits | undefined {
  const logits = run.checkpoints.get('logits')
  if (logits === undefined) return undefined
  const stretch = stretchAt(coverRows(logits).stretches, position)
  if (stretch === undefined) return undefined
  const slab = logits.slab(stretch.slab)
  const row = slab.read(position - slab.pos, 1)
  const ids = slab.coverage.kind === 'columns' ? Array.from(slab.coverage.columns(position - slab.pos)) : undefined
  return {
    of: (id) => row[ids === undefined ? id : ids.indexOf(id)],
    first: () => {
      let at = 0
      for (let index = 1; index < row.length; index++) if (row[index]! > row[at]!) at = index
      return { id: ids?.[at] ?? at, value: row[at]! }
    },
  }
}

/** By how much the difference of two logits is off at a position, where its logits were compared and are within tolerance. */
function noiseAt(checkpoints: readonly ComparedCheckpoint[], position: number): number | undefined {
  const logits = checkpoints.find(({ op }) => op === 'logits')
  const row = logits?.positions.indexOf(position) ?? -1
  if (logits === undefined || row === -1 || logits.exceeding.includes(row)) return undefined
  return 2 * logits.metrics.max_abs[row]!
}

const number = (value: number) => Number(value.toPrecision(3)).toString()
