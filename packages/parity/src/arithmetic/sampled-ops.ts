import { checkpointNames } from '@plumbline/protocol'
import { nmse, type ReferenceModel } from '@plumbline/reference'
import { type GraphNode, graphNode } from '../graph/graph.ts'
import { ifAtHand, OpSite } from '../graph/op-site.ts'
import { RecordedValues, recordedRows } from '../graph/recorded-values.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { type Arithmetic, weightType } from './arithmetic.ts'
import { StoredTypes } from './stored-type.ts'

export const PHASES = ['prefill', 'decode'] as const
export type Phase = (typeof PHASES)[number]

/** Rows that are tried of each phase, and ops of a family, from all over the layers. */
const ROWS = 2
const OPS = 9
/** Of layers as a whole, which cost more. */
export const LAYERS = 3

/** An op at one position, and how far off what was recorded is from what an arithmetic gives there. */
export interface Sample {
  readonly site: OpSite
  readonly recorded: Float64Array
  readonly error: (arithmetic: Arithmetic | undefined) => number
}

/** Rows of ops from all over a run, that can be replayed. */
export class Sampler {
  /** What storing the values in a narrow type has already made of them. */
  readonly storage: number
  readonly #run: RecordedRun
  readonly #model: ReferenceModel
  readonly #nodes: readonly GraphNode[]
  readonly #positions: Readonly<Record<Phase, readonly number[]>>

  constructor(run: RecordedRun, model: ReferenceModel) {
    this.#run = run
    this.#model = model
    this.#nodes = checkpointNames(model.config.layers)
      .filter((name) => run.checkpoints.has(name))
      .map((name) => graphNode(name, model.config.layers)!)
    this.#positions = sampledPositions(run)
    this.storage = { F32: 0, F16: 2 ** -22, BF16: 2 ** -16 }[new StoredTypes(run).usual]
  }

  /** Whether nothing within the layers was recorded that can be replayed by itself. */
  get hasOnlyOutputs(): boolean {
    return this.#nodes.every(({ op, layer }) => layer === null || op === 'output')
  }

  /** Of matrices whose input was recorded, too, by the type of their weights. */
  matrices(phase: Phase): Map<string, Sample[]> {
    const byType = new Map<string, GraphNode[]>()
    for (const node of this.#nodes) {
      const site = new OpSite(new RecordedValues(this.#run, this.#model), node, 0, 1)
      if (site.linear() === undefined || !this.#run.checkpoints.has(node.inputs[0]!)) continue
      const type = weightType(site)
      byType.set(type, [...(byType.get(type) ?? []), node])
    }
    const samples = [...byType].map(([type, nodes]) => [type, this.#samples(nodes, phase)] as const)
    return new Map(samples.filter(([, { length }]) => length > 0))
  }

  /** At most `count` of them, where it is given. */
  ofOp(op: GraphNode['op'], phase: Phase, count = OPS): Sample[] {
    const nodes = this.#nodes.filter((node) => node.op === op)
    const whole =
      op === 'output' ? nodes : nodes.filter(({ inputs }) => inputs.every((name) => this.#run.checkpoints.has(name)))
    return this.#samples(whole, phase, count)
  }

  #samples(nodes: readonly GraphNode[], phase: Phase, count = OPS): Sample[] {
    const chosen = spread(nodes, count)
    return chosen.flatMap((node) => this.#positions[phase].flatMap((position) => this.#sample(node, position) ?? []))
  }

  #sample(node: GraphNode, position: number): Sample | undefined {
    const recorded = recordedRows(this.#run, node.name, position, 1)
    const siteIn = (arithmetic: Arithmetic | undefined) =>
      new OpSite(new RecordedValues(this.#run, this.#model, undefined, { arithmetic }), node, position, 1)
    if (recorded === undefined || ifAtHand(() => siteIn(undefined).right()) === undefined) return undefined
    return { site: siteIn(undefined), recorded, error: (arithmetic) => nmse(recorded, siteIn(arithmetic).right()) }
  }
}

/** Some positions of the prompt, from its middle and its end, and some that were generated. */
function sampledPositions(run: RecordedRun): Record<Phase, readonly number[]> {
  const prompt = run.identity.promptTokenIds?.length ?? 0
  const generated = run.identity.generatedTokenIds?.length ?? 0
  return {
    prefill: spread(range(Math.min(1, prompt - 1), prompt), ROWS),
    decode: spread(range(prompt, prompt + Math.max(0, generated - 1)), ROWS),
  }
}

const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)

/** So many of a list, evenly, the last among them. */
function spread<T>(list: readonly T[], count: number): readonly T[] {
  if (list.length <= count) return list
  return Array.from({ length: count }, (_, i) => list[Math.floor(((i + 1) * list.length) / count) - 1]!)
}
