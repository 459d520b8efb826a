import { checkpointNames } from '@plumbline/protocol'
import { nmse, type ReferenceModel } from '@plumbline/reference'
import { weightType } from '../arithmetic/arithmetic.ts'
import { eightBitVariances, float32Variances, noiseThrough } from '../arithmetic/expected-noise.ts'
import type { Family, Inferred } from '../arithmetic/infer-arithmetic.ts'
import { NO_ROUNDING, tiesOf } from '../arithmetic/rounding.ts'
import { StoredTypes, storageNoise } from '../arithmetic/stored-type.ts'
import { errorBesideTies } from '../arithmetic/ties.ts'
import type { LocalErrors } from '../comparison/comparison.ts'
import { type GraphNode, graphNode } from '../graph/graph.ts'
import { ifAtHand, OpSite } from '../graph/op-site.ts'
import { RecordedValues, recordedRows } from '../graph/recorded-values.ts'
import type { Checkpoint, RecordedRun } from '../recording/recording.ts'
import { replayTolerance } from './ladder.ts'

/** Rows that are replayed at once where all that the op reads was recorded. */
const ROWS = 64

/** Of one checkpoint, a row a position: how far off what the op gave is from what its own inputs give. */
export interface ReplayedCheckpoint extends LocalErrors {
  readonly node: GraphNode
  readonly positions: Uint32Array
  /** Whether ops before it that round were replayed, too, for want of a record: their ties blur it. */
  readonly isBehind: boolean
}

export interface ReplayOptions {
  /** In the order of computation; all that were recorded, unless told. */
  readonly nodes?: readonly GraphNode[]
  /** Ascending positions of a checkpoint; all of whole rows, unless told. */
  readonly rows?: (name: string) => Uint32Array
  readonly onProgress?: ((rows: number, ofRows: number) => void) | undefined
}

/** What a run recorded, in the order of computation. */
export function recordedNodes(run: RecordedRun, { config }: ReferenceModel): GraphNode[] {
  return checkpointNames(config.layers)
    .filter((name) => run.checkpoints.has(name))
    .map((name) => graphNode(name, config.layers)!)
}

/**
 * Replays every op at every position on the run's own recorded inputs, rounded as the engine rounds them, in the order of computation. The
 * run must be in GGUF's own layout.
 */
export function replayLocally(
  run: RecordedRun,
  model: ReferenceModel,
  inferred: Inferred,
  { nodes = recordedNodes(run, model), rows, onProgress }: ReplayOptions = {},
): ReplayedCheckpoint[] {
  const stored = new StoredTypes(run)
  return nodes.map((node, index) => {
    onProgress?.(index + 1, nodes.length)
    const positions = rows?.(node.name) ?? wholePositions(run.checkpoints.get(node.name)!)
    return replayCheckpoint({ run, model, inferred, stored }, node, positions)
  })
}

/** Of whole rows, in order, each once. */
export function wholePositions(checkpoint: Checkpoint): Uint32Array {
  const positions = new Set<number>()
  for (let index = 0; index < checkpoint.slabCount; index++) {
    const { pos, count, coverage } = checkpoint.slab(index)
    if (coverage.kind !== 'all') continue
    for (let row = 0; row < count; row++) positions.add(pos + row)
  }
  return Uint32Array.from(positions).sort()
}

/** The first op, in the order of computation and then of positions, that does not give what its own inputs should. */
export function firstFault(
  replayed: readonly ReplayedCheckpoint[],
): { node: GraphNode; position: number; nmse: number; tolerance: number } | undefined {
  for (const { node, positions, nmse, tolerances } of replayed) {
    const row = nmse.findIndex((error, index) => error > tolerances[index]!)
    if (row !== -1) return { node, position: positions[row]!, nmse: nmse[row]!, tolerance: tolerances[row]! }
  }
  return undefined
}

interface Replayed {
  readonly run: RecordedRun
  readonly model: ReferenceModel
  readonly inferred: Inferred
  readonly stored: StoredTypes
}

/** The replay of one checkpoint. */
interface Replay extends Replayed {
  readonly node: GraphNode
  /** With the engine's rounding, and what it replays for want of a record. */
  readonly source: RecordedValues
  readonly across: readonly GraphNode[]
  readonly isBehind: boolean
}

function replayCheckpoint(replayed: Replayed, node: GraphNode, positions: Uint32Array): ReplayedCheckpoint {
  const { run, model, inferred } = replayed
  const errors = new Float64Array(positions.length).fill(Number.NaN)
  const tolerances = new Float64Array(positions.length).fill(Number.NaN)
  // A source of its own, so that what it replays on the way is not kept.
  const source = new RecordedValues(run, model, undefined, { arithmetic: inferred.arithmetic })
  const across = source.replayedInputs(node)
  const isBehind = across.some((before) => inferred.arithmetic.rounds(new OpSite(source, before, 0, 1)))
  const replay = { ...replayed, node, source, across, isBehind }
  const most = across.length === 0 ? ROWS : Number.POSITIVE_INFINITY
  for (let from = 0; from < positions.length; ) {
    let to = from + 1
    while (to < positions.length && to - from < most && positions[to] === positions[to - 1]! + 1) to++
    const site = new OpSite(source, node, positions[from]!, to - from)
    const recorded = recordedRows(run, node.name, site.first, site.count)
    const right = recorded && ifAtHand(() => site.right())
    if (recorded !== undefined && right !== undefined) {
      const width = recorded.length / site.count
      for (let row = 0; row < site.count; row++) {
        const [gave, gives] = [recorded, right].map((rows) => rows.subarray(row * width, (row + 1) * width))
        const { error, tolerance } = judgeRow(replay, positions[from + row]!, gave!, gives!)
        errors[from + row] = error
        tolerances[from + row] = tolerance
      }
    }
    from = to
  }
  return { node, positions, nmse: errors, tolerances, isBehind }
}

/** How far one row of an op as it was recorded is from what the op gives on its recorded inputs, and how far it may be. */
function judgeRow(
  replay: Replay,
  position: number,
  recorded: Float64Array,
  replayed: Float64Array,
): { error: number; tolerance: number } {
  const { run, node, inferred, stored, source, across, isBehind } = replay
  const { arithmetic, familyOf } = inferred
  let error = nmse(recorded, replayed)
  let tolerance = replayTolerance(isBehind ? 'layer' : node.op, arithmetic.attention.weights !== undefined)
  // What noise this very row may have is worth computing only where it is needed.
  if (error <= tolerance) return { error, tolerance }
  const allow = (noise: number) => {
    tolerance = Math.max(tolerance, MARGIN * noise)
  }
  const site = new OpSite(source, node, position, 1)
  const family = familyOf(site, position)
  // Each op on the way stored its values, too.
  allow(storageNoise(stored.of(node.name), replayed) * (1 + MARGIN * across.length))
  if (node.op === 'attn_q_rope' || node.op === 'attn_k_rope') allow((position * ANGLE) ** 2)
  if (node.op === 'attn_kqv') allow(attentionNoise(site, family, replayed))
  const linear = site.linear()
  if (linear !== undefined) {
    const input = new OpSite(new RecordedValues(run, site.model), node, position, 1).input()
    allow(noiseThrough(linear, float32Variances(input), replayed))
    if (family?.explained === 'noise') allow(noiseThrough(linear, eightBitVariances(input), replayed))
    const rounding = arithmetic.matrices(weightType(site), position)
    if (error > tolerance && rounding !== NO_ROUNDING) {
      if (tiesOf(rounding, input).length > 0) allow(arithmetic.halfSumNoise(site, replayed))
      error = errorBesideTies(linear, rounding, input, recorded, replayed)
    }
  }
  return { error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error, tolerance }
}

/** Noise of one row may be some times what is expected of the usual one. */
const MARGIN = 4
/** In float32, the angle of a position is off by its last bits, and by those of the frequency, however that was made. */
const ANGLE = 2 ** -22

/**
 * What float32 leaves of attention whose scores are large: each is off by the last bits of its largest term, its weight by as much of itself.
 * And where values are summed in F16, each of the sums by its last bit.
 */
function attentionNoise(site: OpSite, family: Family | undefined, output: Float64Array): number {
  const { heads, kvHeads, keyLength, valueLength } = site.config
  const queries = site.ofLayer('attn_q_rope')
  const keys = site.ofLayer('attn_k_rope', 0, site.first + 1)
  const values = site.ofLayer('attn_v', 0, site.first + 1)
  let noise = 0
  for (let head = 0; head < heads; head++) {
    const kvHead = Math.floor((head * kvHeads) / heads)
    const query = norm(queries, head * keyLength, keyLength)
    let score = 0
    let value = 0
    for (let position = 0; position <= site.first; position++) {
      score = Math.max(score, query * norm(keys, (position * kvHeads + kvHead) * keyLength, keyLength))
      value = Math.max(value, norm(values, (position * kvHeads + kvHead) * valueLength, valueLength))
    }
    noise += ((score / Math.sqrt(keyLength)) * 2 ** -24 * value) ** 2
    if (family?.explained === 'noise') noise += (site.first + 1) * (2 ** -12 * value) ** 2
  }
  return noise / norm(output, 0, output.length) ** 2
}

function norm(values: Float64Array, from: number, length: number): number {
  let squares = 0
  for (let i = from; i < from + length; i++) squares += values[i]! ** 2
  return Math.sqrt(squares)
}
