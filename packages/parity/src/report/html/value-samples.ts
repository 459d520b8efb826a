import type { ComparedCheckpoint, Divergence } from '../../comparison/comparison.ts'
import { METRIC_NAMES } from '../../comparison/comparison.ts'
import type { RowPair } from '../compared-rows.ts'
import { largestDifferences } from '../largest.ts'
import { worstRow } from '../summary.ts'
import type { HeatCell, HeatMap } from './heat-map-cells.ts'

/** Values of both sides at one position of one checkpoint: those that differ most. */
export interface ValueSample {
  readonly position: number
  /** In the order of METRIC_NAMES. */
  readonly metrics: readonly SampleNumber[]
  /** [column, candidate, reference, candidate - reference], the largest difference first. */
  readonly values: readonly (readonly [number, SampleNumber, SampleNumber, SampleNumber])[]
  /** How many values both sides hold at this position. */
  readonly held: number
}

/** What JSON has no number for, by name. */
export type SampleNumber = number | string

/** Values in all samples together; each takes about 45 bytes of the page. */
const MOST_VALUES = 9_000
/** Positions at the divergent checkpoint. */
const MOST_POSITIONS = 8
/** Values at a position of the divergent checkpoint. */
const DIVERGENT_VALUES = 12

/**
 * A bounded sample of the values behind the map, for each cell in the order of rows and columns: the cell's worst position, the
 * divergence's position, and at the divergent checkpoint those that exceed the tolerance.
 */
export function valueSamples(
  { rows }: HeatMap,
  divergence: Divergence | undefined,
  detail: number,
  rowPair: (checkpoint: string, position: number) => RowPair | undefined,
): (readonly ValueSample[])[] {
  const cells = rows.flatMap((row) => row.cells.filter((cell) => cell !== undefined))
  const each = Math.floor((detail * MOST_VALUES) / Math.max(1, cells.length))
  return cells.map((cell) => {
    const checkpoint = shownCheckpoint(cell, divergence)
    const divergent = checkpoint.name === divergence?.checkpoint
    const positions = divergent
      ? divergentPositions(checkpoint, divergence.position)
      : usualPositions(checkpoint, divergence, each)
    const values = divergent ? DIVERGENT_VALUES : Math.min(8, Math.max(2, Math.floor(each / positions.length)))
    return positions.map((index) => sample(checkpoint, index, values, rowPair))
  })
}

/** Of the layers in a cell the divergent one, or the worst. */
export function shownCheckpoint({ checkpoints }: HeatCell, divergence: Divergence | undefined): ComparedCheckpoint {
  return checkpoints.find(({ name }) => name === divergence?.checkpoint) ?? checkpoints[0]!
}

function usualPositions(checkpoint: ComparedCheckpoint, divergence: Divergence | undefined, each: number): number[] {
  const worst = worstRow(checkpoint)
  const atDivergence = divergence === undefined ? -1 : checkpoint.positions.indexOf(divergence.position)
  return atDivergence < 0 || atDivergence === worst || each < 4 ? [worst] : [atDivergence, worst].sort((a, b) => a - b)
}

function divergentPositions(checkpoint: ComparedCheckpoint, position: number): number[] {
  const first = checkpoint.positions.indexOf(position)
  const wanted = new Set([first, worstRow(checkpoint), ...checkpoint.exceeding.subarray(0, MOST_POSITIONS)])
  return [...wanted]
    .filter((index) => index >= 0)
    .slice(0, MOST_POSITIONS)
    .sort((a, b) => a - b)
}

function sample(
  checkpoint: ComparedCheckpoint,
  index: number,
  most: number,
  rowPair: (checkpoint: string, position: number) => RowPair | undefined,
): ValueSample {
  const position = checkpoint.positions[index]!
  const pair = rowPair(checkpoint.name, position)
  const differing = pair === undefined ? [] : largestDifferences(pair, most)
  return {
    position,
    metrics: METRIC_NAMES.map((name) => sampleNumber(checkpoint.metrics[name][index]!, 4)),
    values: differing.map((i) => {
      const { candidate, reference, columns } = pair!
      const difference = candidate[i]! - reference[i]!
      return [
        columns?.[i] ?? i,
        sampleNumber(candidate[i]!, 9),
        sampleNumber(reference[i]!, 9),
        sampleNumber(difference, 4),
      ]
    }),
    held: pair?.candidate.length ?? 0,
  }
}

const sampleNumber = (value: number, digits: number): SampleNumber =>
  Number.isFinite(value) ? Number(value.toPrecision(digits)) : String(value)
