import type { ReferenceModel } from '@plumbline/reference'
import type { Comparison, Divergence } from '../../comparison/comparison.ts'
import { graphNode } from '../../graph/graph.ts'
import { ifAtHand, OpSite } from '../../graph/op-site.ts'
import { RecordedValues } from '../../graph/recorded-values.ts'
import type { Recording } from '../../recording/recording.ts'
import { ComparedRows, type RowPair } from '../compared-rows.ts'
import { largestDifferences } from '../largest.ts'
import { type Bundle, LARGEST_BUNDLE_BYTES, type Repro, zipBundle } from './bundle.ts'
import type { NpyArray } from './npy-array.ts'
import { type OpSlice, pick, sliceOp } from './op-slice.ts'
import { bundleReadme } from './readme.ts'
import type { SideName } from './replay.ts'

const SIDES: readonly SideName[] = ['candidate', 'reference']

/** Where the outputs are all there is. */
const MOST_OUTPUTS = 1_024

/**
 * The divergent op at the divergent position as a zip: both sides' inputs and outputs, the weights that matter, and how to compute it
 * again. Undefined where nothing diverged, or where the values are not at hand. Of what does not fit, least is left out.
 */
export async function makeBundle(
  comparison: Comparison,
  candidate: Recording,
  reference: Recording,
  model: ReferenceModel | undefined,
): Promise<Buffer | undefined> {
  const { divergence } = comparison
  if (divergence === undefined) return undefined
  const rows = new ComparedRows(comparison, candidate, reference, model?.config.keyLength)
  const pair = rows.pair(divergence.checkpoint, divergence.position)
  if (pair === undefined) return undefined
  const op = model && wholeRow(comparison, pair) ? divergentOp(divergence, pair, rows, model) : undefined
  // The reference's inputs alone still show a local mistake; the outputs alone still show the difference.
  for (const sides of [SIDES, ['reference'] as const, []]) {
    const bundle = bundleOf(comparison, divergence, pair, op, sides)
    const zip = await zipBundle(bundle, bundleReadme(bundle.repro))
    if (zip.length < LARGEST_BUNDLE_BYTES) return zip
  }
  return undefined
}

/** The op to compute again, and the inputs of both sides as far as they are at hand. */
interface DivergentOp {
  readonly slice: OpSlice
  readonly inputs: Readonly<Record<SideName, ReadonlyMap<string, NpyArray> | undefined>>
  /** Inputs that were not recorded, and are what the right ops make of what was. */
  readonly replayed: Readonly<Record<SideName, readonly string[]>>
}

function divergentOp(
  { checkpoint, position }: Divergence,
  pair: RowPair,
  rows: ComparedRows,
  model: ReferenceModel,
): DivergentOp | undefined {
  const node = graphNode(checkpoint, model.config.layers)
  if (node === undefined) return undefined
  const values = {
    candidate: new RecordedValues(rows.candidate.run, model),
    reference: new RecordedValues(rows.reference.run, model),
  }
  const site = (side: SideName) => new OpSite(values[side], node, position, 1)
  const slice = ifAtHand(() => sliceOp(site('reference'), largestDifferences(pair, pair.candidate.length)))
  if (slice === undefined) return undefined
  const inputs = (side: SideName) => ifAtHand(() => slice.inputs(site(side)))
  const replayed = (side: SideName) => node.inputs.filter((name) => values[side].isReplayed(name))
  return {
    slice,
    inputs: { candidate: inputs('candidate'), reference: inputs('reference') },
    replayed: { candidate: replayed('candidate'), reference: replayed('reference') },
  }
}

function wholeRow({ checkpoints, divergence }: Comparison, { candidate, columns }: RowPair): boolean {
  const { width } = checkpoints.find(({ name }) => name === divergence!.checkpoint)!
  return columns === undefined && candidate.length === width
}

/** `sides`: whose inputs to put in. */
function bundleOf(
  comparison: Comparison,
  divergence: Divergence,
  pair: RowPair,
  op: DivergentOp | undefined,
  sides: readonly SideName[],
): Bundle {
  const held = sides.filter((side) => op?.inputs[side] !== undefined)
  const indices = op?.slice.columns ?? largestDifferences(pair, MOST_OUTPUTS).sort((a, b) => a - b)
  const arrays = new Map<string, NpyArray>()
  for (const side of SIDES) {
    const output = { shape: [indices.length], values: pick(pair[side], indices) }
    arrays.set(`${side}/${fileName(divergence.checkpoint)}`, output)
  }
  for (const side of held) {
    for (const [name, array] of op!.inputs[side]!) arrays.set(`${side}/${fileName(name)}`, array)
  }
  if (held.length > 0) for (const [name, array] of op!.slice.weights) arrays.set(`weights/${name}`, array)

  const { checkpoint, position, phase, tolerance, metrics, origin, cause } = divergence
  const repro: Repro = {
    v: 1,
    verdict: comparison.verdict.line,
    checkpoint: fileName(checkpoint),
    position,
    phase: phase ?? null,
    tolerance,
    nmse: Number.isFinite(metrics.nmse) ? metrics.nmse : Number.isNaN(metrics.nmse) ? 'NaN' : 'Infinity',
    origin,
    cause: cause === undefined ? null : { mistake: cause.mistake, message: cause.message },
    width: comparison.checkpoints.find(({ name }) => name === checkpoint)!.width,
    columns: indices.map((index) => pair.columns?.[index] ?? index),
    inputs: held.length === 0 ? [] : [...op!.inputs[held[0]!]!.keys()].map(fileName),
    sides: held,
    replay: held.length === 0 ? null : op!.slice.replay,
    notes: notes(op, held),
  }
  return { repro, arrays }
}

function notes(op: DivergentOp | undefined, held: readonly SideName[]): string[] {
  if (op === undefined)
    return ['Only the outputs are here: no model was given, or not all that the op needs was recorded.']
  return SIDES.flatMap((side) => {
    if (op.inputs[side] === undefined) return [`The ${side}'s inputs were not recorded.`]
    if (!held.includes(side)) return [`The ${side}'s inputs are too large for a bundle.`]
    if (op.replayed[side].length === 0) return []
    const names = op.replayed[side].join(', ')
    return [
      `The ${side}'s ${names} was not recorded: it is what the right ops make of the recorded checkpoints before it.`,
    ]
  })
}

/** A checkpoint's name as a file's: a recording's names may hold anything. */
const fileName = (name: string) => name.replace(/[^\w.-]|^\.+/g, '_').slice(0, 100)
