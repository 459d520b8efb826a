import { LAYER_CHECKPOINTS } from '@plumbline/protocol'
import type { ComparedCheckpoint, Comparison } from '../../comparison/comparison.ts'
import { worstRow } from '../summary.ts'

/** The comparison as a cube of rows (layers, and what stands before and after them) x ops x steps (token positions). */
export interface HeatMap {
  /** In the order of computation. */
  readonly rows: readonly HeatRow[]
  /** Columns of the rows that are layers, in the order of computation. */
  readonly ops: readonly string[]
  /** Consecutive positions that are shown as one; one position each unless there are too many. */
  readonly steps: readonly Step[]
  /** What had to be put together to keep the page small, for people; empty where nothing was. */
  readonly notes: readonly string[]
}

export interface HeatRow {
  readonly label: string
  /** By column; a row outside the layers has one cell. */
  readonly cells: readonly (HeatCell | undefined)[]
  readonly isLayer: boolean
}

export interface HeatCell {
  /** More than one where layers are put together. The first is the one with the largest excess. */
  readonly checkpoints: readonly ComparedCheckpoint[]
}

/** Positions [first, last]. */
export interface Step {
  readonly first: number
  readonly last: number
}

const MOST_LAYER_ROWS = 128
const MOST_STEPS = 2_048
/** Of the cube; two bytes each, a third more in base64. */
const MOST_VALUES = 300_000

/** `detail`: 1 for as much as usually fits, less for a smaller page. */
export function heatMap(comparison: Comparison, detail = 1): HeatMap {
  const notes: string[] = []
  const checkpoints = comparison.checkpoints.filter(({ positions }) => positions.length > 0)
  const inLayers = checkpoints.filter(({ layer }) => layer !== null)
  const ops = LAYER_CHECKPOINTS.filter((name) => inLayers.some(({ op }) => op === name))
  const layers = [...new Set(inLayers.map(({ layer }) => layer!))].sort((a, b) => a - b)
  const perRow = Math.ceil(layers.length / Math.max(16, Math.floor(detail * MOST_LAYER_ROWS)))
  if (perRow > 1) notes.push(`Each row stands for ${perRow} layers, and shows the worst of them.`)
  const rowOfLayer = new Map(layers.map((layer, index) => [layer, Math.floor(index / perRow)]))
  const byRow = new Map<number, ComparedCheckpoint[]>()
  for (const checkpoint of inLayers) {
    const row = rowOfLayer.get(checkpoint.layer!)!
    byRow.set(row, [...(byRow.get(row) ?? []), checkpoint])
  }
  const layerRows = [...byRow.entries()]
    .sort(([a], [b]) => a - b)
    .map(([row, ofRow]) => layerRow(layers.slice(row * perRow, (row + 1) * perRow), ops, ofRow))

  const alone = checkpoints.filter(({ layer }) => layer === null)
  const rowOf = (checkpoint: ComparedCheckpoint): HeatRow => ({
    label: checkpoint.name,
    cells: [{ checkpoints: [checkpoint] }],
    isLayer: false,
  })
  const rows = [
    ...alone.filter(({ op }) => op === 'token_embd').map(rowOf),
    ...layerRows,
    ...alone.filter(({ op }) => op !== 'token_embd').map(rowOf),
  ]

  const cells = rows.reduce((count, row) => count + row.cells.filter((cell) => cell !== undefined).length, 0)
  const steps = stepsOf(
    checkpoints,
    Math.min(MOST_STEPS, Math.max(1, Math.floor((detail * MOST_VALUES) / Math.max(1, cells)))),
  )
  const widest = steps.reduce((most, { first, last }) => Math.max(most, last - first + 1), 1)
  if (widest > 1)
    notes.push(`Each step along the tokens covers up to ${widest} positions, and shows the worst of them.`)
  return { rows, ops, steps, notes }
}

function layerRow(layers: readonly number[], ops: readonly string[], ofRow: readonly ComparedCheckpoint[]): HeatRow {
  const cells = ops.map((op) => {
    const ofCell = ofRow.filter((checkpoint) => checkpoint.op === op).sort((a, b) => excess(b) - excess(a))
    return ofCell.length === 0 ? undefined : { checkpoints: ofCell }
  })
  const label = layers.length === 1 ? `${layers[0]}` : `${layers[0]}–${layers.at(-1)}`
  return { label, cells, isLayer: true }
}

function stepsOf(checkpoints: readonly ComparedCheckpoint[], most: number): Step[] {
  const seen = new Set<number>()
  for (const { positions } of checkpoints) for (const position of positions) seen.add(position)
  const positions = Uint32Array.from(seen).sort()
  const perStep = Math.ceil(positions.length / most)
  const steps: Step[] = []
  for (let i = 0; i < positions.length; i += perStep) {
    steps.push({ first: positions[i]!, last: positions[Math.min(i + perStep, positions.length) - 1]! })
  }
  return steps
}

const badness = (value: number) => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value)

function excess(checkpoint: ComparedCheckpoint): number {
  const worst = badness(checkpoint.metrics.nmse[worstRow(checkpoint)] ?? 0)
  return checkpoint.tolerance > 0 ? worst / checkpoint.tolerance : worst
}

// NMSE in two bytes: 0 not compared, 1 exactly equal, 65,535 not a number or infinite, and between them log10 from -20 to 20.
const NOT_COMPARED = 0
const EQUAL = 1
const NOT_FINITE = 65_535
export const CODE_SCALE = { smallest: -20, perDecade: 1_600 }

function errorCode(value: number): number {
  if (!Number.isFinite(value)) return NOT_FINITE
  if (value <= 0) return EQUAL
  const code = 2 + Math.round((Math.log10(value) - CODE_SCALE.smallest) * CODE_SCALE.perDecade)
  return Math.min(Math.max(code, 2), NOT_FINITE - 1)
}

/** The worst of each step for each cell, [cell][step], as codes; cells in the order of rows and columns. */
export function errorCodes({ rows, steps }: HeatMap): Uint16Array {
  const cells = rows.flatMap((row) => row.cells.filter((cell) => cell !== undefined))
  const codes = new Uint16Array(cells.length * steps.length).fill(NOT_COMPARED)
  for (const [index, { checkpoints }] of cells.entries()) {
    for (const { positions, metrics } of checkpoints) {
      for (let i = 0; i < positions.length; i++) {
        const at = index * steps.length + stepAt(steps, positions[i]!)
        codes[at] = Math.max(codes[at]!, errorCode(metrics.nmse[i]!))
      }
    }
  }
  return codes
}

function stepAt(steps: readonly Step[], position: number): number {
  let low = 0
  let high = steps.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (steps[middle]!.last < position) low = middle + 1
    else high = middle
  }
  return low
}
