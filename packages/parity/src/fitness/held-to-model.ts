import { checkpointNames } from '@plumbline/protocol'
import { nmse, type ReferenceModel } from '@plumbline/reference'
import type { AlignedSide } from '../alignment/align.ts'
import { fromHalves } from '../alignment/from-halves.ts'
import type { RowCover } from '../alignment/row-cover.ts'
import { stretchAt } from '../alignment/row-cover.ts'
import type { UnfitFinding } from '../comparison/comparison.ts'
import { type GraphNode, graphNode } from '../graph/graph.ts'
import { ifAtHand, OpSite } from '../graph/op-site.ts'
import { RecordedValues, recordedRows } from '../graph/recorded-values.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { multiplications } from '../verdict/held-ops.ts'
import { whyNotReplayed } from '../verdict/op-evidence.ts'

/**
 * The most NMSE that an op, replayed in float64 with no rounding on its own recorded inputs, can be off by in an honest run: coarse
 * arithmetic makes less, and so do weights of 4 bits where the run had them whole, or the other way round.
 */
const MOST_OFF = 0.1
/** Of a whole forward pass, likewise. */
const MOST_OFF_AT_LAST = 0.5
/** Positions of a checkpoint that are looked at. */
const ROWS = 3
/** Replaying across a layer takes all positions before: only the first so many are then looked at. */
const EARLY = 16
/** Multiplications that are spent on one side's ops, and on a forward pass, at the most. */
const MOST_REPLAYED = 2 ** 29
const MOST_FORWARD = 2 ** 30
const MOST_FINDINGS = 4

/**
 * What a side recorded that the model cannot give, whatever the arithmetic: two sides that agree may agree in rubbish. Some rows of
 * each op are replayed on the side's own recorded inputs; those of ops whose inputs it lacks are held to the model's own forward pass.
 */
export class HeldToModel {
  readonly #model: ReferenceModel
  readonly #passes = new Map<string, ReadonlyMap<string, Float64Array>>()

  constructor(model: ReferenceModel) {
    this.#model = model
  }

  contradictions(side: AlignedSide): readonly UnfitFinding[] {
    const found = this.#contradictions(side)
    if (found.length === 0) return found
    // What does not state its order may have q and k in halves.
    const mapped = this.#contradictions({ ...side, run: fromHalves(side.run, this.#model) })
    return mapped.length < found.length ? mapped : found
  }

  #contradictions({ run, covers }: AlignedSide): readonly UnfitFinding[] {
    const model = this.#model
    const source = new RecordedValues(run, model)
    if (whyNotReplayed(run, model) !== undefined || source.tokenIds.some((id) => id >= model.vocabSize)) return []
    const findings: UnfitFinding[] = []
    const nodes = checkpointNames(model.config.layers)
      .filter((name) => covers.has(name))
      .map((name) => graphNode(name, model.config.layers)!)
    const cost = (node: GraphNode, rows: number) => rows * multiplications(model, node)
    let spent = 0
    // From both ends, so that a large model's head is looked at, too.
    for (const node of fromBothEnds(nodes)) {
      if (findings.length >= MOST_FINDINGS) break
      const across = source.replayedInputs(node)
      const positions = somePositions(covers.get(node.name)!, across.length === 0 ? Number.POSITIVE_INFINITY : EARLY)
      const price = cost(node, positions.length) + across.reduce((sum, before) => sum + cost(before, EARLY), 0)
      if (spent + price > MOST_REPLAYED) continue
      spent += price
      for (const position of positions) {
        const why = this.#contradiction(run, source, node, position)
        if (why === undefined) continue
        findings.push(found(node.name, position, covers.get(node.name)!, run.checkpoints, why))
        break
      }
    }
    const order = nodes.map(({ name }) => name)
    return findings.sort((a, b) => order.indexOf(a.checkpoint) - order.indexOf(b.checkpoint))
  }

  /** Why what was recorded of an op at a position is not the model's; undefined where it may be, or cannot be told. */
  #contradiction(run: RecordedRun, source: RecordedValues, node: GraphNode, position: number): string | undefined {
    const recorded = recordedRows(run, node.name, position, 1)
    if (recorded === undefined) return undefined
    const replayed = ifAtHand(() => new OpSite(source, node, position, 1).right())
    if (replayed === undefined) {
      const given = this.#forward(source.tokenIds, node.name, position)
      const isWrong = given !== undefined && isOff(recorded, given, MOST_OFF_AT_LAST)
      return isWrong ? 'it is not what the model gives for the prompt' : undefined
    }
    if (!isOff(recorded, replayed, MOST_OFF)) return undefined
    return node.op === 'token_embd'
      ? `it is not the model's embedding of token ${source.tokenIds[position]}`
      : 'it is not what the model gives for its own recorded inputs'
  }

  /** A row of the model's own pass over the ids; undefined where that would take too long. */
  #forward(ids: readonly number[], name: string, position: number): Float64Array | undefined {
    const model = this.#model
    const each = checkpointNames(model.config.layers)
      .map((each) => multiplications(model, graphNode(each, model.config.layers)!))
      .reduce((sum, of) => sum + of, 0)
    const count = Math.min(ids.length, Math.floor(MOST_FORWARD / each))
    if (position >= count) return undefined
    const key = ids.slice(0, count).join()
    let pass = this.#passes.get(key)
    if (pass === undefined) {
      const rows = new Map<string, Float64Array>()
      model.newSession().append(ids.slice(0, count), (checkpoint, _layer, { start }, width, values) => {
        for (let row = 0; row * width < values.length; row++) {
          rows.set(`${checkpoint} ${start + row}`, Float64Array.from(values.subarray(row * width, (row + 1) * width)))
        }
      })
      pass = rows
      this.#passes.clear()
      this.#passes.set(key, pass)
    }
    return pass.get(`${name} ${position}`)
  }
}

const isOff = (recorded: Float64Array, right: Float64Array, most: number) =>
  recorded.length !== right.length || !(nmse(recorded, right) <= most)

function fromBothEnds<T>(list: readonly T[]): T[] {
  return list.map((_, i) => (i % 2 === 0 ? list[list.length - 1 - i / 2]! : list[(i - 1) / 2]!))
}

/** Evenly, the last among them. */
function somePositions({ stretches }: RowCover, before: number): number[] {
  const some: number[] = []
  let count = 0
  for (const { start, end } of stretches) count += Math.max(0, Math.min(end, before) - start)
  for (let i = 1; i <= Math.min(ROWS, count); i++) {
    let index = Math.floor((i * count) / Math.min(ROWS, count)) - 1
    for (const { start, end } of stretches) {
      const length = Math.max(0, Math.min(end, before) - start)
      if (index >= 0 && index < length) some.push(start + index)
      index -= length
    }
  }
  return some
}

function found(
  checkpoint: string,
  position: number,
  { stretches }: RowCover,
  checkpoints: AlignedSide['run']['checkpoints'],
  message: string,
): UnfitFinding {
  const { place } = checkpoints.get(checkpoint)!.slab(stretchAt(stretches, position)!.slab)
  return { kind: 'contradiction', message, checkpoint, position, ...place }
}
