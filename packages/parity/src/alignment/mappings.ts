import { checkpointPlace } from '../comparison/checkpoint-name.ts'
import type { Checkpoint, RecordedRun, Values } from '../recording/recording.ts'
import { tokensFirstView } from '../recording/tokens-first.ts'

/** A run as the other side's names and layouts have it, and what that took. */
export interface MappedRun {
  readonly run: RecordedRun
  /** e.g. halves-to-neighbours(reference attn_q, attn_k; head length 64) */
  readonly mappings: readonly string[]
  /** Checkpoints whose layout differs and cannot be told, with the reason. */
  readonly unmapped: ReadonlyMap<string, string>
}

export interface MappingOptions {
  /** Width of one head of queries and keys, where the model is at hand. */
  readonly headLength?: number
  /** Which dimensions of a head the GGUF has rotated together, where the model is at hand. */
  readonly ropePairing?: 'neighbours' | 'halves'
}

const ROTATED_OPS: ReadonlySet<string> = new Set(['attn_q', 'attn_k', 'attn_q_rope', 'attn_k_rope'])

/** Whether the rows of a checkpoint are in the order in which RoPE pairs them. */
export function isRotated(name: string): boolean {
  return ROTATED_OPS.has(checkpointPlace(name)?.op ?? '')
}

/**
 * Both runs brought to the names and layouts of GGUF. Where both have queries and keys in halves and no model tells the head length,
 * they stay so: they are set against each other alone.
 */
export function mapRuns(
  candidate: RecordedRun,
  reference: RecordedRun,
  options: MappingOptions,
): { candidate: MappedRun; reference: MappedRun } {
  const split = { candidate: splitFused(candidate, reference), reference: splitFused(reference, candidate) }
  const flat = { candidate: tokensFirst(split.candidate), reference: tokensFirst(split.reference) }
  const ours = isInHalves(flat.candidate.run, flat.reference.run, options)
  const theirs = isInHalves(flat.reference.run, flat.candidate.run, options)
  if (ours && theirs && options.headLength === undefined) return flat
  return {
    candidate: ours ? halvesToNeighbours(flat.candidate, flat.reference.run, options) : flat.candidate,
    reference: theirs ? halvesToNeighbours(flat.reference, flat.candidate.run, options) : flat.reference,
  }
}

/** Whether a run states halves where GGUF has neighbours. GGUF files of qwen2 have q and k in halves themselves. */
function isInHalves({ identity }: RecordedRun, other: RecordedRun, { ropePairing }: MappingOptions): boolean {
  const architecture = identity.architecture ?? other.identity.architecture
  const ofGguf = ropePairing ?? (architecture === 'qwen2' ? 'halves' : 'neighbours')
  return identity.ropeOrder === 'halves' && ofGguf === 'neighbours'
}

function halvesToNeighbours(mapped: MappedRun, other: RecordedRun, options: MappingOptions): MappedRun {
  const { run } = mapped
  const names = [...run.checkpoints.keys()].filter(isRotated)
  if (names.length === 0) return mapped
  const headLength = options.headLength ?? findHeadLength(run, other)
  if (headLength === undefined) {
    const reason = 'its rows are in half-split order, and no head length is known: give the model'
    return { ...mapped, unmapped: new Map([...mapped.unmapped, ...names.map((name) => [name, reason] as const)]) }
  }
  const found = options.headLength === undefined ? ', found by trying' : ''
  const checkpoints = new Map(run.checkpoints)
  for (const name of names) {
    const checkpoint = checkpoints.get(name)!
    if (checkpoint.width % headLength !== 0) continue
    checkpoints.set(name, inNeighbours(checkpoint, headLength))
  }
  return {
    ...mapped,
    run: withCheckpoints(run, checkpoints),
    mappings: [...mapped.mappings, `halves-to-neighbours(attn_q, attn_k; head length ${headLength}${found})`],
  }
}

/** With one pair a head, halves and neighbours are the same, and nothing would be mapped. */
const SHORTEST_HEAD = 4

/**
 * The head length under which a row of attn_q or attn_k, before RoPE, comes closest to the other side's. Before RoPE only: how the
 * two rotate is what is to be judged, and must not decide how they are laid out.
 */
function findHeadLength(halves: RecordedRun, other: RecordedRun): number | undefined {
  let best: { headLength: number; error: number } | undefined
  for (const [name, checkpoint] of halves.checkpoints) {
    const op = checkpointPlace(name)?.op
    if (op !== 'attn_q' && op !== 'attn_k') continue
    const ours = firstWholeRow(checkpoint)
    const theirCheckpoint = other.checkpoints.get(name)
    const theirs = theirCheckpoint === undefined ? undefined : firstWholeRow(theirCheckpoint, ours?.position)
    if (ours === undefined || theirs === undefined || ours.values.length !== theirs.values.length) continue
    for (let headLength = SHORTEST_HEAD; headLength <= ours.values.length; headLength += 2) {
      if (ours.values.length % headLength !== 0) continue
      const error = squaredDistance(neighbours(ours.values, headLength), theirs.values)
      if (best === undefined || error < best.error) best = { headLength, error }
    }
    if (best !== undefined && best.error < 1e-2) break
  }
  return best?.headLength
}

function firstWholeRow(checkpoint: Checkpoint, position?: number): { position: number; values: Values } | undefined {
  for (let index = 0; index < Math.min(checkpoint.slabCount, 64); index++) {
    const slab = checkpoint.slab(index)
    if (slab.coverage.kind !== 'all') continue
    const row = position === undefined ? 0 : position - slab.pos
    if (row >= 0 && row < slab.count) return { position: slab.pos + row, values: slab.read(row, 1).slice() }
  }
  return undefined
}

/** Relative to the size of `b`. */
function squaredDistance(a: Values, b: Values): number {
  let distance = 0
  let size = 0
  for (let i = 0; i < b.length; i++) {
    distance += (a[i]! - b[i]!) ** 2
    size += b[i]! ** 2
  }
  return size === 0 ? Infinity : distance / size
}

/** Rows of heads whose dimension i is rotated with i + half, so that 2i is rotated with 2i + 1. */
function neighbours(values: Values, headLength: number): Values {
  const mapped = values.slice()
  const half = headLength / 2
  for (let head = 0; head < values.length; head += headLength) {
    for (let i = 0; i < half; i++) {
      mapped[head + 2 * i] = values[head + i]!
      mapped[head + 2 * i + 1] = values[head + half + i]!
    }
  }
  return mapped
}

function inNeighbours(checkpoint: Checkpoint, headLength: number): Checkpoint {
  const half = headLength / 2
  const placeOf = (column: number) => {
    const i = column % headLength
    return column - i + (i < half ? 2 * i : 2 * (i - half) + 1)
  }
  return {
    name: checkpoint.name,
    width: checkpoint.width,
    slabCount: checkpoint.slabCount,
    slab: (index) => {
      const { read, ...inner } = checkpoint.slab(index)
      const { coverage } = inner
      if (coverage.kind === 'all') {
        return { ...inner, read: (first, rows) => neighbours(read(first, rows), headLength) }
      }
      // Of some columns the values stay as they are, and their places alone are others.
      const { perRow } = coverage
      const own = (row: number) =>
        coverage.kind === 'columns' ? coverage.columns(row) : Array.from({ length: perRow }, (_, i) => i)
      const columns = (row: number) => Int32Array.from(own(row), placeOf)
      return { ...inner, read, coverage: { kind: 'columns', perRow, columns } }
    },
  }
}

/** [heads, tokens, dimensions] of each slab as [tokens, heads * dimensions]. */
function tokensFirst({ run, mappings, unmapped }: MappedRun): MappedRun {
  const names = new Set<string>()
  const checkpoints = new Map(run.checkpoints)
  for (const [name, checkpoint] of run.checkpoints) {
    const { headsFirst } = checkpoint
    if (headsFirst === undefined || headsFirst < 2) continue
    names.add(name.replace(/^blk\.\d+\./, ''))
    checkpoints.set(name, tokensFirstView(checkpoint))
  }
  if (names.size === 0) return { run, mappings, unmapped }
  return {
    run: withCheckpoints(run, checkpoints),
    mappings: [...mappings, `heads-tokens-to-tokens-heads(${[...names].join(', ')})`],
    unmapped,
  }
}

/** `blk.N.attn_qkv` as q, k and v, of the widths that the other side has. */
function splitFused(run: RecordedRun, other: RecordedRun): MappedRun {
  const checkpoints = new Map(run.checkpoints)
  let mapped = false
  for (const [name, fused] of run.checkpoints) {
    const layer = /^(blk\.\d+)\.attn_qkv$/.exec(name)?.[1]
    if (layer === undefined) continue
    const parts = ['attn_q', 'attn_k', 'attn_v'].map((op) => `${layer}.${op}`)
    const widths = parts.map((part) => other.checkpoints.get(part)?.width)
    if (widths.some((width) => width === undefined) || sum(widths as number[]) !== fused.width) continue
    checkpoints.delete(name)
    let start = 0
    for (const [index, part] of parts.entries()) {
      const from = start
      const width = widths[index]!
      checkpoints.set(part, {
        ...viewOf(fused, width, (values) => columnsOf(values, fused.width, from, width)),
        name: part,
      })
      start += width
    }
    mapped = true
  }
  return {
    run: withCheckpoints(run, checkpoints),
    mappings: mapped ? ['split(attn_qkv into attn_q, attn_k, attn_v)'] : [],
    unmapped: new Map(),
  }
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

function columnsOf(values: Values, width: number, from: number, count: number): Values {
  const rows = values.length / width
  const columns = values.slice(0, rows * count)
  for (let row = 0; row < rows; row++) {
    columns.set(values.subarray(row * width + from, row * width + from + count), row * count)
  }
  return columns
}

/** The same run with other checkpoints. A run may be an object of a class: what it has is not its own properties alone. */
function withCheckpoints(
  { id, identity, greedy, printedDecimals }: RecordedRun,
  checkpoints: ReadonlyMap<string, Checkpoint>,
): RecordedRun {
  return {
    id,
    identity,
    checkpoints,
    ...(greedy !== undefined && { greedy }),
    ...(printedDecimals !== undefined && { printedDecimals }),
  }
}

/** A checkpoint whose whole rows are read through `change`; slabs that hold parts of rows are left out. */
function viewOf(checkpoint: Checkpoint, width: number, change: (values: Values) => Values): Checkpoint {
  const whole: number[] = []
  for (let index = 0; index < checkpoint.slabCount; index++) {
    if (checkpoint.slab(index).coverage.kind === 'all') whole.push(index)
  }
  return {
    name: checkpoint.name,
    width,
    slabCount: whole.length,
    slab: (index) => {
      const inner = checkpoint.slab(whole[index]!)
      const coverage = { kind: 'all', perRow: width } as const
      return { ...inner, coverage, read: (first, rows) => change(inner.read(first, rows)) }
    },
  }
}
