import type { ReferenceModel } from '@plumbline/reference'
import type { Arithmetic } from '../arithmetic/arithmetic.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { type GraphNode, graphNode } from './graph.ts'
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

/**
 * The values of a run: recorded ones, and those of checkpoints that were not recorded (inside fused kernels, or below the trace's
 * level) replayed from recorded ones, but never across a whole layer.
 */
export class RecordedValues implements ActivationSource {
  readonly model: ReferenceModel
  readonly tokenIds: readonly number[]
  readonly others: readonly ActivationSource[]
  readonly arithmetic: Arithmetic | undefined
  readonly #run: RecordedRun
  readonly #isVisible: (name: string) => boolean
  readonly #replayed = new Map<string, Float64Array>()

  /** `isVisible`: which recorded checkpoints to believe; all, unless told. `arithmetic`: of the engine that left them. */
  constructor(
    run: RecordedRun,
    model: ReferenceModel,
    isVisible: (name: string) => boolean = () => true,
    { arithmetic, others = [] }: { arithmetic?: Arithmetic | undefined; others?: readonly ActivationSource[] } = {},
  ) {
    this.model = model
    this.tokenIds = [...(run.identity.promptTokenIds ?? []), ...(run.identity.generatedTokenIds ?? [])]
    this.others = others
    this.arithmetic = arithmetic
    this.#run = run
    this.#isVisible = isVisible
  }

  /** Whether a checkpoint is replayed rather than read. */
  isReplayed(name: string): boolean {
    return !(this.#isVisible(name) && this.#run.checkpoints.has(name))
  }

  rows(name: string, first: number, count: number): Float64Array {
    const recorded = this.isReplayed(name) ? undefined : recordedRows(this.#run, name, first, count)
    if (recorded !== undefined) return recorded
    const key = `${name}:${first}:${count}`
    const values = this.#replayed.get(key) ?? new OpSite(this, this.#replayableNode(name, first), first, count).right()
    this.#replayed.set(key, values)
    return values
  }

  #replayableNode(name: string, first: number): GraphNode {
    const node = graphNode(name, this.model.config.layers)
    if (node === undefined || node.op === 'output' || first < 0) throw new NotAtHand(name)
    return node
  }

  /** The replayed checkpoints that `node` is made from, directly or through others. */
  replayedInputs(node: GraphNode): GraphNode[] {
    const inputs = node.inputs.flatMap((name) => {
      const input = graphNode(name, this.model.config.layers)!
      return this.isReplayed(name) && input.op !== 'output' ? [...this.replayedInputs(input), input] : []
    })
    return inputs.filter((input, index) => inputs.findIndex(({ name }) => name === input.name) === index)
  }
}

/** The same values, but for one replayed checkpoint that is made wrongly, and all that is replayed from it. */
export class ValuesWithMistake implements ActivationSource {
  readonly model: ReferenceModel
  readonly tokenIds: readonly number[]
  readonly others: readonly ActivationSource[]
  readonly arithmetic: Arithmetic | undefined
  readonly #base: RecordedValues
  readonly #name: string
  readonly #from: number
  readonly #compute: (site: OpSite) => Float64Array | undefined

  /** `compute` makes checkpoint `name` at the positions from `from` on. */
  constructor(base: RecordedValues, name: string, from: number, compute: (site: OpSite) => Float64Array | undefined) {
    this.model = base.model
    this.tokenIds = base.tokenIds
    this.others = base.others
    this.arithmetic = base.arithmetic
    this.#base = base
    this.#name = name
    this.#from = from
    this.#compute = compute
  }

  rows(name: string, first: number, count: number): Float64Array {
    const node = graphNode(name, this.model.config.layers)
    if (node === undefined || !this.#base.isReplayed(name)) return this.#base.rows(name, first, count)
    if (name !== this.#name) {
      const affected = this.#base.replayedInputs(node).some((input) => input.name === this.#name)
      return affected ? new OpSite(this, node, first, count).right() : this.#base.rows(name, first, count)
    }
    const values = this.#base.rows(name, first, count).slice()
    const from = Math.max(first, this.#from)
    if (from >= first + count) return values
    const wrong = this.#compute(new OpSite(this.#base, node, from, first + count - from))
    if (wrong === undefined) throw new NotAtHand(name)
    values.set(wrong, ((from - first) * values.length) / count)
    return values
  }
}
