import type { ReferenceModel } from '@plumbline/reference'
import type { RecordedRun } from '../recording/recording.ts'
import { graphNode } from './graph.ts'
import { type ActivationSource, type Chunk, NotAtHand, OpSite } from './op-site.ts'

/** Rows [first, first + count) of a checkpoint as they were recorded, widened to float64; undefined where any of them is not whole. */
export function recordedRows(run: RecordedRun, name: string, first: number, count: number): Float64Array | undefined {
  const checkpoint = run.checkpoints.get(name)
  if (checkpoint === undefined || first < 0) return undefined
  const { width } = checkpoint
  const rows = new Float64Array(count * width)
  const there = new Uint8Array(count)
  for (let index = 0; index < checkpoint.slabCount; index++) {
    const slab = checkpoint.slab(index)
    const from = Math.max(first, slab.pos)
    const to = Math.min(first + count, slab.pos + slab.count)
    if (from >= to || slab.coverage.kind !== 'all') continue
    rows.set(slab.read(from - slab.pos, to - from), (from - first) * width)
    there.fill(1, from - first, to - first)
  }
  return there.includes(0) ? undefined : rows
}

/** The positions that were recorded together with `position`. */
export function recordedChunk(run: RecordedRun, name: string, position: number): Chunk | undefined {
  const checkpoint = run.checkpoints.get(name)
  for (let index = 0; index < (checkpoint?.slabCount ?? 0); index++) {
    const { pos, count } = checkpoint!.slab(index)
    if (pos <= position && position < pos + count) return { pos, count }
  }
  return undefined
}

export interface RecordedValuesOptions {
  /** Which recorded checkpoints to believe; what else is asked for is replayed from those. All, unless told. */
  readonly visible?: (name: string) => boolean
  /** Computed in this way in place of the right one, at the positions from `from` on, where it is not recorded. */
  readonly wrong?: {
    readonly name: string
    readonly from: number
    readonly compute: (site: OpSite) => Float64Array | undefined
  }
  readonly other?: ActivationSource
}

/**
 * The values of a run: recorded ones, and those of checkpoints that were not recorded (inside fused kernels, or below the trace's
 * level) replayed from recorded ones, but never across a whole layer.
 */
export class RecordedValues implements ActivationSource {
  readonly model: ReferenceModel
  readonly tokenIds: readonly number[]
  readonly other?: ActivationSource
  readonly #run: RecordedRun
  readonly #options: RecordedValuesOptions
  readonly #replayed = new Map<string, Float64Array>()

  constructor(run: RecordedRun, model: ReferenceModel, options: RecordedValuesOptions = {}) {
    this.model = model
    this.tokenIds = [...(run.identity.promptTokenIds ?? []), ...(run.identity.generatedTokenIds ?? [])]
    if (options.other !== undefined) this.other = options.other
    this.#run = run
    this.#options = options
  }

  rows(name: string, first: number, count: number): Float64Array {
    const { visible, wrong } = this.#options
    const recorded = visible?.(name) === false ? undefined : recordedRows(this.#run, name, first, count)
    if (recorded !== undefined) return recorded
    const node = graphNode(name, this.model.config.layers)
    if (node === undefined || node.op === 'output' || first < 0) throw new NotAtHand(name)
    const key = `${name}:${first}:${count}`
    const replayed = this.#replayed.get(key)
    if (replayed !== undefined) return replayed
    const values = new OpSite(this, node, first, count).right()
    if (wrong?.name === name && first + count > wrong.from) {
      const from = Math.max(first, wrong.from)
      const site = new OpSite(this, node, from, first + count - from)
      const wrongValues = wrong.compute(site)
      if (wrongValues === undefined) throw new NotAtHand(name)
      values.set(wrongValues, ((from - first) * values.length) / count)
    }
    this.#replayed.set(key, values)
    return values
  }
}
