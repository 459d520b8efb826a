import { type Comparison, METRIC_NAMES } from '../../comparison/comparison.ts'
import { CODE_SCALE, errorCodes, type HeatMap } from './heat-map-cells.ts'
import { clip, html, jsonBlock, type Markup, visible } from './markup.ts'
import type { TokenNames } from './token-names.ts'
import { shownCheckpoint, type ValueSample } from './value-samples.ts'

/** What assets/report.js draws the map from. Indices of cells are in the order of rows and columns. */
export interface HeatMapData {
  readonly ops: readonly string[]
  /** `cells`: by column, -1 where there is none. */
  readonly rows: readonly { readonly label: string; readonly isLayer: boolean; readonly cells: readonly number[] }[]
  readonly cells: readonly {
    readonly name: string
    readonly layer: string
    readonly op: string
    readonly tolerance: number
    readonly width: number
    readonly compared: number
    readonly positions: number
    readonly exceeding: number
  }[]
  /** First and last position, and the token where it is one. */
  readonly steps: readonly (readonly [number, number, string?])[]
  /** Base64 of little-endian 16-bit codes, [cell][step]; see errorCodes. */
  readonly codes: string
  readonly codeScale: typeof CODE_SCALE
  readonly metricNames: readonly string[]
  readonly samples: readonly (readonly ValueSample[])[]
  /** What is shown first. */
  readonly first: { readonly cell: number; readonly position: number | null }
}

export function heatMapSection(
  comparison: Comparison,
  map: HeatMap,
  samples: HeatMapData['samples'],
  tokens: TokenNames,
): Markup | undefined {
  if (map.steps.length === 0) return undefined
  return html`<section aria-labelledby="map-title"><h2 id="map-title">Where: layers × ops × tokens</h2>
<p id="map-help">A cell's number is the power of ten of its NMSE: −7 is about 10<sup>−7</sup>. Its colour sets that against the checkpoint's tolerance; beyond it, the number is bold.${comparison.divergence && ' ▸ marks the first divergence.'} Arrow keys move between cells, Enter goes to a cell's values.</p>
<p class="legend-title">NMSE as a multiple of the tolerance</p>
<ul class="legend">${LEGEND.map(([level, sign, text]) => html`<li><span class="swatch ${level}" aria-hidden="true">${sign}</span>${text}</li>`)}</ul>
${map.notes.map((note) => html`<p class="note">${note}</p>`)}
<noscript><p class="note">The map is drawn by this page's own script, which is switched off. The verdict above and the tables below need none.</p></noscript>
<div class="explorer"><div class="map">
<div class="slider"><label for="token">Token</label><input id="token" type="range" min="0" max="${map.steps.length}" value="0" step="1"><output id="token-name" for="token"></output></div>
<p id="cell-summary" aria-live="polite"></p>
<div id="map"></div>
<div id="strip-box" hidden><h3>Layers × tokens, each layer's worst op</h3><canvas id="strip" role="img" aria-label="The worst error of each layer at each token; the token slider and the map above give the same"></canvas><p class="ends"><span id="strip-first"></span><span id="strip-last"></span></p></div>
</div>
<div id="cell" tabindex="-1" role="region" aria-label="Values of the chosen cell"></div></div>
${jsonBlock('map-data', mapData(comparison, map, samples, tokens))}</section>`
}

/** Beyond, a step is known by its position alone. */
const MOST_NAMED_STEPS = 600

/** NMSE divided by the tolerance; the thresholds are in assets/report.js. */
const LEGEND: readonly (readonly [string, string, string])[] = [
  ['equal', '=', 'equal bits'],
  ['under-4', '', 'below 10⁻⁶'],
  ['under-3', '', '10⁻⁶'],
  ['under-2', '', '10⁻³'],
  ['under-1', '', '0.1 to 1: within'],
  ['over-1', '', '1 to 100: beyond'],
  ['over-2', '', '10²'],
  ['over-3', '', '10⁵'],
  ['over-4', '', '10⁸ and more'],
  ['nonfinite', '×', 'not finite'],
  ['none', '·', 'not compared'],
]

function mapData(
  comparison: Comparison,
  map: HeatMap,
  samples: HeatMapData['samples'],
  tokens: TokenNames,
): HeatMapData {
  const cells: HeatMapData['cells'][number][] = []
  const rows = map.rows.map(({ label, isLayer, cells: ofRow }) => ({
    label: name(label),
    isLayer,
    cells: ofRow.map((cell) => {
      if (cell === undefined) return -1
      const {
        name: checkpoint,
        layer,
        op,
        tolerance,
        width,
        compared,
        positions,
      } = shownCheckpoint(cell, comparison.divergence)
      const exceeding = Math.max(...cell.checkpoints.map((each) => each.exceeding.length))
      cells.push({
        name: name(checkpoint),
        layer: layer === null ? '' : `${layer}`,
        op: name(op),
        tolerance,
        width,
        compared,
        positions: positions.length,
        exceeding,
      })
      return cells.length - 1
    }),
  }))
  const codes = errorCodes(map)
  const { divergence } = comparison
  const first = cells.findIndex((cell) => cell.name === name(divergence?.checkpoint ?? ''))
  return {
    ops: map.ops.map(name),
    rows,
    cells,
    steps: map.steps.map(({ first: from, last }) => {
      const token = from === last && map.steps.length <= MOST_NAMED_STEPS ? tokens.textAtPosition(from) : undefined
      return token === undefined ? [from, last] : [from, last, token]
    }),
    codes: Buffer.from(codes.buffer, codes.byteOffset, codes.byteLength).toString('base64'),
    codeScale: CODE_SCALE,
    metricNames: METRIC_NAMES,
    samples,
    first: { cell: first < 0 ? cells.length - 1 : first, position: divergence?.position ?? null },
  }
}

const name = (text: string) => visible(clip(text, 80))
