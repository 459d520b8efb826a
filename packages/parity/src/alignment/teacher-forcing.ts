import type { ReferenceModel } from '@plumbline/reference'
import { runOracle } from '../oracle/oracle.ts'
import { MemoryRun } from '../recording/memory-recording.ts'
import type { Checkpoint, RecordedRun, Slab } from '../recording/recording.ts'
import { isRotated } from './mappings.ts'
import { commonPrefix, continuation, inputTokenIds } from './token-ids.ts'

export interface TeacherForced {
  /** The reference, and from where the continuations parted on, what it makes of the candidate's own tokens. */
  readonly reference: RecordedRun
  /** Where those come from, for people. */
  readonly source: string
  /** The other run of the reference's that they come from; undefined where it is the model. */
  readonly run?: RecordedRun
  /** The last position that can be compared now. */
  readonly until: number
}

/**
 * A reference for what the candidate computed after the continuations parted: another run of the reference's that was given the
 * candidate's tokens, else the model's own forward pass over them. Undefined where neither is at hand, or nothing is left to compare.
 */
export function forceTeacher(
  candidate: RecordedRun,
  reference: RecordedRun,
  others: readonly RecordedRun[],
  model: ReferenceModel | undefined,
): TeacherForced | undefined {
  const tokens = inputTokenIds(candidate) ?? []
  const parted = commonPrefix(tokens, inputTokenIds(reference) ?? [])
  const last = lastPosition(candidate)
  if (last < parted) return undefined
  const candidates = others
    .filter((run) => run !== reference)
    .map((run) => ({ run, shared: commonPrefix(tokens, inputTokenIds(run) ?? []) }))
  const best = candidates.reduce((best, other) => (other.shared > best.shared ? other : best), {
    run: reference,
    shared: parted,
  })
  if (best.shared > parted) {
    return {
      reference: continuedBy(reference, best.run, parted, candidate),
      source: `the reference's run ${best.run.id}`,
      run: best.run,
      until: Math.min(last, best.shared - 1),
    }
  }
  if (model === undefined) return undefined
  // The model's own pass is in GGUF's row order; one recording has one order.
  const inHalves = reference.identity.ropeOrder === 'halves' && model.config.ropePairing !== 'halves'
  const names = new Set([...candidate.checkpoints.keys()].filter((name) => !inHalves || !isRotated(name)))
  return {
    reference: continuedBy(reference, ownPass(names, model, tokens.slice(0, last + 1), parted), parted, candidate),
    source: "the model's own forward pass",
    until: last,
  }
}

/** What the model's forward pass makes of the tokens at those checkpoints, from a position on. */
function ownPass(
  names: ReadonlySet<string>,
  model: ReferenceModel,
  tokens: readonly number[],
  from: number,
): RecordedRun {
  const run = new MemoryRun('forced', {})
  runOracle(model, tokens, {}, ({ name, pos, count, width, values }) => {
    if (!names.has(name) || pos + count <= from) return
    const skipped = Math.max(0, from - pos)
    run.add(name, { pos: pos + skipped }, width, Float32Array.from(values.subarray(skipped * width)))
  })
  return run
}

/** Positions before `from` of one run, the others of another; what was generated is the candidate's. */
function continuedBy(run: RecordedRun, after: RecordedRun, from: number, candidate: RecordedRun): RecordedRun {
  const checkpoints = new Map<string, Checkpoint>()
  for (const [name, checkpoint] of run.checkpoints) {
    const rest = after.checkpoints.get(name)
    const slabs = [
      ...cut(checkpoint, 0, from),
      ...(rest === undefined ? [] : cut(rest, from, Number.POSITIVE_INFINITY)),
    ]
    // Of the ten largest logits alone the width is not known.
    const width = checkpoint.width || (rest?.width ?? 0)
    checkpoints.set(name, { name, width, slabCount: slabs.length, slab: (index) => slabs[index]! })
  }
  const generatedTokenIds = continuation(candidate) ?? []
  const { id, identity, printedDecimals } = run
  return {
    id,
    identity: { ...identity, generatedTokenIds },
    checkpoints,
    ...(printedDecimals !== undefined && { printedDecimals }),
  }
}

/** The slabs of a checkpoint at positions [from, to). */
function cut(checkpoint: Checkpoint, from: number, to: number): Slab[] {
  const slabs: Slab[] = []
  for (let index = 0; index < checkpoint.slabCount; index++) {
    const slab = checkpoint.slab(index)
    const skipped = Math.max(0, from - slab.pos)
    const count = Math.min(slab.pos + slab.count, to) - slab.pos - skipped
    if (count <= 0) continue
    const { coverage } = slab
    slabs.push({
      ...slab,
      pos: slab.pos + skipped,
      count,
      coverage:
        coverage.kind === 'columns' ? { ...coverage, columns: (row) => coverage.columns(row + skipped) } : coverage,
      read: (first = 0, rows = count - first) => slab.read(first + skipped, rows),
    })
  }
  return slabs
}

function lastPosition({ checkpoints }: RecordedRun): number {
  let last = -1
  for (const checkpoint of checkpoints.values()) {
    if (checkpoint.slabCount === 0) continue
    const { pos, count } = checkpoint.slab(checkpoint.slabCount - 1)
    last = Math.max(last, pos + count - 1)
  }
  return last
}
