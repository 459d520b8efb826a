import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Comparison } from '../../comparison/comparison.ts'
import type { Recording } from '../../recording/recording.ts'
import { ComparedRows } from '../compared-rows.ts'
import { growthSection } from './growth-chart.ts'
import { heatMap } from './heat-map-cells.ts'
import { heatMapSection } from './heat-map-section.ts'
import { logitsSection } from './logits-section.ts'
import { html, longText, raw } from './markup.ts'
import { sidesSection } from './sides-section.ts'
import { TokenNames } from './token-names.ts'
import { valueSamples } from './value-samples.ts'
import { verdictSection } from './verdict-section.ts'

export interface HtmlReportOptions {
  /** The command line that makes the comparison again. */
  readonly command?: string
  /** A token as text, by the model's own tokenizer; ids are shown without it. */
  readonly decodeToken?: (id: number) => string
  /** Width of one head of queries and keys, where the model is at hand. */
  readonly headLength?: number
  /** What came out for the other runs of the same recordings. */
  readonly others?: readonly Comparison[]
}

/** No report is larger, whatever was compared. */
export const LARGEST_REPORT_BYTES = 2_000_000

/**
 * The comparison as one page that needs nothing else: no network, no other file. The same input gives the same bytes. Values are a
 * bounded sample of what the recordings hold; where something is put together or left out to stay within LARGEST_REPORT_BYTES, the
 * page says so.
 */
export function htmlReport(
  comparison: Comparison,
  candidate: Recording,
  reference: Recording,
  options: HtmlReportOptions = {},
): string {
  const rows = new ComparedRows(comparison, candidate, reference, options.headLength)
  let page = ''
  // All of the detail fits unless names and messages are absurdly long.
  for (const detail of [1, 0.25, 0.05]) {
    page = render(comparison, rows, options, detail)
    if (Buffer.byteLength(page) <= LARGEST_REPORT_BYTES) break
  }
  return page
}

function render(
  comparison: Comparison,
  rows: ComparedRows,
  { command, decodeToken, others = [] }: HtmlReportOptions,
  detail: number,
): string {
  const tokens = new TokenNames(comparison, decodeToken)
  const map = heatMap(comparison, detail)
  const samples = valueSamples(map, comparison.divergence, detail, (name, position) => rows.pair(name, position))
  // Hashes instead of 'unsafe-inline': nothing that a recording smuggles in could run, were it ever to get past the escaping.
  const policy = `default-src 'none'; style-src ${hashSource(STYLE)}; script-src ${hashSource(SCRIPT)}; base-uri 'none'; form-action 'none'`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${comparison.verdict.line}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the verdict</a>
<header><span>Plumbline parity</span> <span class="sides">${comparison.candidate.path} <span class="against">against</span> ${comparison.reference.path}</span></header>
<main id="main" tabindex="-1">
${verdictSection(comparison, others, tokens)}
${heatMapSection(comparison, map, samples, tokens)}
${growthSection(comparison)}
${logitsSection(comparison, rows, tokens)}
${sidesSection(comparison, tokens)}
${
  command !== undefined &&
  html`<section aria-labelledby="again-title"><h2 id="again-title">How to reproduce</h2>
<pre tabindex="0" role="group" aria-label="Command"><code>${longText(command)}</code></pre>
${
  comparison.divergence !== undefined &&
  html`<p>Add <code>--repro out.zip</code> for a bundle of the divergent op alone: its inputs, weights and outputs.</p>`
}</section>`
}
</main>
<script>${raw(SCRIPT)}</script>
</body>
</html>
`.text
}

const STYLE = readAsset('report.css')
const SCRIPT = readAsset('report.js')

function readAsset(name: string): string {
  return readFileSync(new URL(`assets/${name}`, import.meta.url), 'utf8')
}

const hashSource = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
