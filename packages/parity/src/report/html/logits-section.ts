import type { Comparison } from '../../comparison/comparison.ts'
import type { Values } from '../../recording/recording.ts'
import type { ComparedRows, Row } from '../compared-rows.ts'
import { largest } from '../largest.ts'
import { html, type Markup } from './markup.ts'
import { countText, numberText, percentText } from './number-text.ts'
import type { TokenNames } from './token-names.ts'

const SHOWN = 10

/** The ten largest logits of both sides, at the divergent position and at the last that both recorded. */
export function logitsSection(comparison: Comparison, rows: ComparedRows, tokens: TokenNames): Markup | undefined {
  const compared = comparison.checkpoints.find(({ op }) => op === 'logits')
  if (compared === undefined || compared.positions.length === 0) return undefined
  const last = compared.positions.at(-1)!
  const divergent = comparison.divergence?.position
  const positions =
    divergent !== undefined && divergent !== last && compared.positions.includes(divergent) ? [divergent, last] : [last]
  const tables = positions.map((position) => {
    const index = compared.positions.indexOf(position)
    const sides = [rows.candidate, rows.reference].map((side) => side.row(compared.name, position))
    if (sides[0] === undefined || sides[1] === undefined) return undefined
    return html`<h3>Position ${position} ${tokens.atPosition(position)}${position === divergent ? ', where the divergence is first seen' : ', the last'}</h3>
<p>${summary(compared, index)}</p>
<div class="pair">${sideTable('Candidate', sides[0], sides[1], tokens, compared.width)}${sideTable('Reference', sides[1], sides[0], tokens, compared.width)}</div>`
  })
  return html`<section aria-labelledby="logits-title"><h2 id="logits-title">Logits side by side</h2>
<p>The ${SHOWN} largest of each side. “Other” is a token's rank on the other side.${!tokens.decodes && html` Tokens are ids, since no model was given to decode them (<code>--model</code>).`}</p>${tables}</section>`
}

function summary(compared: Comparison['checkpoints'][number], index: number): string {
  const { logits, metrics } = compared
  const parts = [`NMSE ${numberText(metrics.nmse[index]!)}`]
  if (logits !== undefined) {
    // Not a number where only some logits are there.
    if (!Number.isNaN(logits.kl[index])) parts.push(`KL divergence ${numberText(logits.kl[index]!)} nats`)
    parts.push(logits.top1[index] === 1 ? 'both put the same token first' : 'they put different tokens first')
    parts.push(`the reference's first token has rank ${logits.rank[index]! + 1} in the candidate`)
  }
  return `${parts.join('; ')}.`
}

function sideTable(title: string, side: Row, other: Row, tokens: TokenNames, width: number): Markup {
  const { values } = side
  const whole = values.length === width
  const top = largest(values.length, (i) => (Number.isNaN(values[i]!) ? Number.NEGATIVE_INFINITY : values[i]!), SHOWN)
  const total = whole ? exponentialSum(values, values[top[0]!]!) : undefined
  const ranks = rankings(
    other,
    top.map((i) => side.columns?.[i] ?? i),
  )
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${title}'s largest logits"><table class="figures logits"><caption>${title}${!whole && ` (${countText(values.length, 'value')} of ${width.toLocaleString('en')} recorded)`}</caption>
<thead><tr><th scope="col">Rank</th><th scope="col" class="left">Token</th><th scope="col">Logit</th>${whole && html`<th scope="col"><abbr title="probability">p</abbr></th>`}<th scope="col">Other</th></tr></thead><tbody>
${top.map((i, rank) => {
  const id = side.columns?.[i] ?? i
  const elsewhere = ranks.get(id)
  return html`<tr><td>${rank + 1}</td><td class="left">${tokens.markup(id)}</td><td>${numberText(values[i]!, 5)}</td>${total !== undefined && html`<td>${percentText(Math.exp(values[i]! - values[top[0]!]!) / total)}</td>`}<td${elsewhere !== rank && html` class="moved"`}>${elsewhere === undefined ? '–' : elsewhere === rank ? '=' : elsewhere + 1}</td></tr>`
})}</tbody></table></div>`
}

function exponentialSum(values: Values, largest: number): number {
  let sum = 0
  for (const value of values) sum += Math.exp(value - largest)
  return sum
}

/** Rank from 0 of each of `ids` among all values of a row. */
function rankings({ values, columns }: Row, ids: readonly number[]): Map<number, number> {
  const indexOf = columns === undefined ? undefined : new Map(Array.from(values, (_, i) => [columns[i]!, i]))
  const ranks = new Map<number, number>()
  for (const id of ids) {
    const index = indexOf === undefined ? id : indexOf.get(id)
    const value = index === undefined ? undefined : values[index]
    if (value === undefined) continue
    let above = 0
    for (let i = 0; i < values.length; i++) if (values[i]! > value || (values[i] === value && i < index!)) above++
    ranks.set(id, above)
  }
  return ranks
}
