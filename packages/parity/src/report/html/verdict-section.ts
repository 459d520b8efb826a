import type { Cause, Comparison, Divergence, Outcome, Side, UnfitFinding } from '../../comparison/comparison.ts'
import type { Fault } from '../../recording/recording.ts'
import { capped, html, longText, type Markup } from './markup.ts'
import { countText, numberText, percentText } from './number-text.ts'
import type { TokenNames } from './token-names.ts'

/** Said in words and by a sign, so that nothing depends on colour. */
const OUTCOMES: Record<Outcome, { sign: string; words: string }> = {
  same: { sign: '=', words: 'Same bits' },
  'within-tolerance': { sign: '≈', words: 'Same within tolerance' },
  partial: { sign: '~', words: 'Nothing differs, but too little was compared to call it equal' },
  'not-shown': { sign: '~', words: 'Within coarse noise, in which mistakes may be lost' },
  diverged: { sign: '≠', words: 'Diverged' },
  'not-comparable': { sign: '?', words: 'Not comparable' },
  untrusted: { sign: '!', words: 'Untrusted evidence' },
}

function originText({ origin, side }: Divergence): string {
  if (side === 'both')
    return 'Local, on both sides alike: this op gives on neither side what the model file makes of its inputs.'
  if (origin === 'inherited') return 'Inherited: its inputs already differed, and from them it computed rightly.'
  if (origin === 'unknown')
    return 'Unknown whether local or inherited: its inputs or the model (--model) are not at hand.'
  return `Local: fed the reference's own inputs, this op still differs.${side === 'reference' ? ' It is the reference that does not give what its inputs should give.' : ''}`
}

const MOST_ITEMS = 40
const MOST_REFUSALS = 10
/** Of the reasons for distrust, those that nobody has to ask for. */
const FIRST_REASONS = 6

/** The top of the page: what came out, where, why, and what was not shown. */
export function verdictSection(comparison: Comparison, others: readonly Comparison[], tokens: TokenNames): Markup {
  const { verdict, divergence, alignment, profile, profileReason, coverage, greedy } = comparison
  const { sign, words } = OUTCOMES[verdict.outcome]
  return html`<section id="verdict" class="outcome-${verdict.outcome}" aria-labelledby="verdict-line">
<p class="badge"><span class="sign" aria-hidden="true">${sign}</span> ${words} <span class="exit">exit code ${verdict.exitCode}</span></p>
<h1 id="verdict-line">${longText(verdict.line)}</h1>
<ul class="facts">
<li><b>Profile</b> ${profile}: ${profileReason}</li>
<li><b>Coverage</b> ${percentText(coverage)} of the values</li>
<li><b>Compared</b> ${comparedText(comparison)}</li>
<li><b>Beyond tolerance</b> ${beyondText(comparison)}</li>
</ul>
${alignment.mappings.length > 0 && html`<p class="mapped"><b>Mapped before comparing</b> ${joined(alignment.mappings)}</p>`}
${alignment.unverified.length > 0 && html`<p class="unverified"><b>Unverified</b> ${joined(alignment.unverified)}</p>`}
${comparison.unchecked.length > 0 && html`<p class="unverified"><b>Unchecked</b> ${joined(comparison.unchecked)}</p>`}
${alignment.refusals.length > 0 && refusals(comparison)}
${[comparison.candidate, comparison.reference].map((side, i) => distrust(side, i === 0 ? 'candidate' : 'reference'))}
${divergence && divergenceCard(divergence, tokens)}
${greedy && html`<div class="card"><h2>Greedy continuation: ${greedy.kind}</h2><p>${greedy.message}</p></div>`}
${others.length > 0 && otherRuns(comparison, others)}
</section>`
}

function otherRuns({ candidate }: Comparison, others: readonly Comparison[]): Markup {
  return html`<div class="card"><h2>This page shows run ${candidate.run}, the worst of ${others.length + 1}. The others:</h2><ul>${capped(
    others,
    MOST_ITEMS,
    (other) => html`<li>${other.candidate.run}: ${other.verdict.line}</li>`,
    more,
  )}</ul></div>`
}

function comparedText({ checkpoints }: Comparison): string {
  if (checkpoints.length === 0) return 'nothing'
  const positions = Math.max(...checkpoints.map((checkpoint) => checkpoint.positions.length))
  return `${countText(checkpoints.length, 'checkpoint')} at up to ${countText(positions, 'position')}`
}

function beyondText({ checkpoints }: Comparison): string {
  if (checkpoints.length === 0) return '–'
  const beyond = checkpoints.filter(({ exceeding }) => exceeding.length > 0).length
  return beyond === 0 ? 'none' : `${beyond} of ${countText(checkpoints.length, 'checkpoint')}`
}

function divergenceCard(divergence: Divergence, tokens: TokenNames): Markup {
  const { checkpoint, layer, op, position, phase, metrics, tolerance, cause } = divergence
  const place = layer === null ? html`<b>${op}</b>` : html`layer <b>${layer}</b>, op <b>${op}</b>`
  const factor = tolerance > 0 ? `, ${numberText(metrics.nmse / tolerance)} times the tolerance` : ''
  return html`<div class="pair">
<div class="card"><h2>First divergence</h2>
<p class="place">${place}, position <b>${position}</b> ${tokens.atPosition(position)}</p>
<dl>
<dt>Checkpoint</dt><dd><code>${checkpoint}</code></dd>
${phase && html`<dt>Phase</dt><dd>${phase}</dd>`}
<dt>Error</dt><dd>NMSE ${numberText(metrics.nmse)}${factor}</dd>
<dt>Tolerance</dt><dd>${tolerance === 0 ? 'none: the bits must be equal' : `NMSE ${numberText(tolerance)}`}</dd>
<dt>Largest difference</dt><dd>${numberText(metrics.max_abs)}</dd>
<dt>Cosine</dt><dd>${numberText(metrics.cosine, 6)}</dd>
</dl>
<p>${originText(divergence)}</p></div>
<div class="card"><h2>Likely cause</h2>${cause === undefined ? noCause() : causeText(cause)}</div>
</div>`
}

function causeText({ mistake, message, residual, confidence, alternatives }: Cause): Markup {
  return html`<p class="place">${message}</p>
<dl>
<dt>Mistake</dt><dd><code>${mistake}</code>, ${confidence}</dd>
<dt>Residual</dt><dd>NMSE ${numberText(residual)} between the candidate's output and what this mistake makes of the reference's inputs</dd>
<dt>Alternatives</dt><dd>${alternatives.length === 0 ? 'none that explains it as well' : alternatives.slice(0, MOST_ITEMS).join(', ')}</dd>
</dl>`
}

const noCause = () =>
  html`<p>No mistake of the catalogue reproduces the candidate's output, or the model was not given (<code>--model</code>) to try them.</p>`

function refusals({ alignment }: Comparison): Markup {
  return html`<div class="card caution"><h2>Why no number was formed</h2><ul>${capped(
    alignment.refusals,
    MOST_REFUSALS,
    ({ kind, message, details = [] }) => html`<li><b>${kind}</b>: ${message}
${details.length > 0 && html`<pre tabindex="0" role="group" aria-label="${kind}, side by side">${longText(details.slice(0, MOST_ITEMS).join('\n'))}</pre>`}</li>`,
    more,
  )}</ul></div>`
}

function distrust({ faults, unfit }: Side, name: string): Markup | undefined {
  const count = faults.length + unfit.length
  if (count === 0) return undefined
  const most = FIRST_REASONS + MOST_ITEMS
  const reasons = [
    ...faults.slice(0, most).map((fault) => reason(fault.kind, fault.message, html`${placeText(fault)}`)),
    ...unfit.slice(0, most).map((finding) => {
      const place = html`${finding.checkpoint}, position ${finding.position}; ${placeText(finding)}`
      return reason(finding.kind, finding.message, place)
    }),
  ].slice(0, most)
  const rest = reasons.slice(FIRST_REASONS)
  return html`<div class="card caution"><h2>Why the ${name} is not trusted: the figures below are for looking, not for judging</h2>
<ul>${reasons.slice(0, FIRST_REASONS)}</ul>
${rest.length > 0 && html`<details><summary>and ${count - FIRST_REASONS} more</summary><ul>${rest}${count > most && more(count - most)}</ul></details>`}</div>`
}

function reason(kind: string, message: string, place: Markup): Markup {
  return html`<li><b>${kind}</b>: ${message} <span class="at">${place}</span></li>`
}

function placeText({ file, line, byteOffset }: Pick<Fault | UnfitFinding, 'file' | 'line' | 'byteOffset'>): string {
  return [file, line !== undefined && `line ${line}`, byteOffset !== undefined && `byte ${byteOffset}`]
    .filter(Boolean)
    .join(', ')
}

function joined(items: readonly string[]): Markup {
  const left = items.length - MOST_ITEMS
  return html`${items.slice(0, MOST_ITEMS).map((item, i) => html`${i > 0 && '; '}${item}`)}${left > 0 && `; and ${left} more, see --json`}`
}

const more = (left: number) => html`<li class="more">and ${left} more, see --json</li>`
