import type { ComparedCheckpoint, Comparison } from '../../comparison/comparison.ts'
import { worstRow } from '../summary.ts'
import { html, type Markup, raw } from './markup.ts'
import { numberText } from './number-text.ts'

// Written by hand rather than by echarts: the chart is two lines, a rule and a few labels. echarts' SVG holds its colours as attributes,
// so light and dark would take two charts, at about 30 KB each against 6, and would bring a dependency larger than this whole package.

interface Point {
  readonly name: string
  readonly layer: number | null
  readonly worst: number
  readonly median: number
  readonly tolerance: number
}

const MOST_POINTS = 200

/** How the error grows along the residual stream; along all checkpoints where the stream was not recorded. */
export function growthSection(comparison: Comparison): Markup | undefined {
  const points = growthPoints(comparison.checkpoints)
  if (points.length < 2) return undefined
  const first = points.findIndex(({ name }) => name === streamPoint(comparison, points))
  return html`<section aria-labelledby="growth-title"><h2 id="growth-title">The error's growth through the layers</h2>
<p>NMSE of the residual stream after each block, on a logarithmic scale. Solid: the worst position. Dashed: the median position. Dotted: the tolerance.</p>
${chart(points, first, 960, 'wide')}${chart(points, first, 300, 'narrow')}
<details><summary>The same as a table</summary><div class="scroll" tabindex="0" role="group" aria-label="Error by checkpoint"><table class="figures"><thead><tr><th scope="col">Checkpoint</th><th scope="col">Worst NMSE</th><th scope="col">Median NMSE</th><th scope="col">Tolerance</th></tr></thead>
<tbody>${points.map(
    ({ name, worst, median, tolerance }) =>
      html`<tr><th scope="row"><code>${name}</code></th><td>${numberText(worst)}</td><td>${numberText(median)}</td><td>${numberText(tolerance)}</td></tr>`,
  )}</tbody></table></div></details></section>`
}

function growthPoints(checkpoints: readonly ComparedCheckpoint[]): Point[] {
  const compared = checkpoints.filter(({ positions }) => positions.length > 0)
  const stream = compared.filter(({ layer, op }) => layer === null || op === 'output' || op === 'ffn_input')
  const shown = stream.some(({ layer }) => layer !== null) ? stream : compared
  const every = Math.ceil(shown.length / MOST_POINTS)
  return shown
    .filter((_, index) => index % every === 0)
    .map((checkpoint) => ({
      name: checkpoint.name,
      layer: checkpoint.layer,
      worst: checkpoint.metrics.nmse[worstRow(checkpoint)]!,
      median: checkpoint.metrics.nmse.toSorted()[checkpoint.positions.length >> 1]!,
      tolerance: checkpoint.tolerance,
    }))
}

/** The first point at or after the divergence, in the order of computation. */
function streamPoint({ checkpoints, divergence }: Comparison, points: readonly Point[]): string | undefined {
  if (divergence === undefined) return undefined
  const shown = new Set(points.map(({ name }) => name))
  const from = checkpoints.findIndex(({ name }) => name === divergence.checkpoint)
  return checkpoints.slice(from).find(({ name }) => shown.has(name))?.name
}

const HEIGHT = 280
const MARGIN = { left: 44, right: 12, top: 26, bottom: 40 }

function chart(points: readonly Point[], first: number, width: number, className: string): Markup {
  const values = points.flatMap(({ worst, median, tolerance }) => [worst, median, tolerance])
  const decades = values.filter((value) => value > 0 && Number.isFinite(value)).map((value) => Math.log10(value))
  const top = decades.length === 0 ? 0 : Math.ceil(Math.max(...decades) + 0.2)
  // One decade below the smallest stands for exactly equal, which has no logarithm.
  const bottom = decades.length === 0 ? -1 : Math.min(Math.floor(Math.min(...decades)) - 1, top - 2)
  const x = (index: number) => round(MARGIN.left + ((width - MARGIN.left - MARGIN.right) * index) / (points.length - 1))
  const y = (value: number) => {
    const decade = value > 0 ? Math.min(Math.max(Math.log10(value), bottom), top) : bottom
    const up = Number.isNaN(decade) ? 1 : (decade - bottom) / (top - bottom)
    return round(HEIGHT - MARGIN.bottom - (HEIGHT - MARGIN.top - MARGIN.bottom) * up)
  }
  const line = (of: (point: Point) => number) => raw(points.map((point, i) => `${x(i)},${y(of(point))}`).join(' '))
  const step = Math.ceil((top - bottom) / 8)
  const ticks = Array.from({ length: Math.floor((top - bottom - 1) / step) + 1 }, (_, i) => top - i * step)
  const right = width - MARGIN.right
  const last = points.at(-1)!
  const label = `NMSE from ${numberText(points[0]!.worst)} at ${points[0]!.name} to ${numberText(last.worst)} at ${last.name}, worst positions`
  return html`<svg class="chart ${className}" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="${label}">
<g class="grid">${ticks.map((decade) => html`<line x1="${MARGIN.left}" x2="${right}" y1="${y(10 ** decade)}" y2="${y(10 ** decade)}"/><text x="${MARGIN.left - 6}" y="${y(10 ** decade) + 4}" text-anchor="end">1e${decade}</text>`)}
<line x1="${MARGIN.left}" x2="${right}" y1="${y(0)}" y2="${y(0)}"/><text x="${MARGIN.left - 6}" y="${y(0) + 4}" text-anchor="end">0</text></g>
${first >= 0 && html`<line class="first" x1="${x(first)}" x2="${x(first)}" y1="${MARGIN.top - 4}" y2="${HEIGHT - MARGIN.bottom}"/><text class="first" x="${x(first)}" y="14" text-anchor="${x(first) > width / 2 ? 'end' : 'start'}">first divergence</text>`}
<polyline class="tolerance" points="${line((point) => point.tolerance)}"/>
<polyline class="median" points="${line((point) => point.median)}"/>
<polyline class="worst" points="${line((point) => point.worst)}"/>
${points.map((point, i) => html`<circle class="${exceeds(point) ? 'over' : 'under'}" cx="${x(i)}" cy="${y(point.worst)}" r="${exceeds(point) ? 4 : 2.5}"><title>${point.name}: ${numberText(point.worst)}</title></circle>`)}
<g class="axis">${layerTicks(points, width).map((i) => html`<text x="${x(i)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${points[i]!.layer ?? ''}</text>`)}
<text x="${(MARGIN.left + right) / 2}" y="${HEIGHT - 4}" text-anchor="middle">layer</text></g>
</svg>`
}

const exceeds = ({ worst, tolerance }: Point) => !(worst <= tolerance)

/** Indices of the points that begin a layer, thinned to what the width takes. */
function layerTicks(points: readonly Point[], width: number): number[] {
  const begins = points.flatMap(({ layer }, i) => (layer !== null && layer !== points[i - 1]?.layer ? [i] : []))
  const every = Math.ceil(begins.length / (width / 36))
  return begins.filter((_, index) => index % every === 0)
}

const round = (value: number) => Math.round(value * 10) / 10
