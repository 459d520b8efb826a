import type { Comparison, Side } from '../../comparison/comparison.ts'
import type { RunIdentity } from '../../recording/recording.ts'
import { capped, html, type Markup } from './markup.ts'
import type { TokenNames } from './token-names.ts'

const FIELDS: readonly [keyof RunIdentity, string][] = [
  ['engine', 'Engine'],
  ['engineVersion', 'Engine version'],
  ['modelName', 'Model'],
  ['modelSha256', 'Model sha256'],
  ['architecture', 'Architecture'],
  ['weightsFingerprint', 'Weights fingerprint'],
  ['layers', 'Layers'],
  ['embeddingLength', 'Embedding length'],
  ['vocabSize', 'Vocabulary'],
  ['tokenizerSha256', 'Tokenizer sha256'],
  ['chatTemplateSha256', 'Chat template sha256'],
  ['precision', 'Precision'],
  ['activations', 'Activations'],
  ['kvCache', 'KV cache'],
  ['backend', 'Backend'],
  ['device', 'Device'],
  ['ropeOrder', 'Order of q and k within a head'],
  ['notObserved', 'Not observed'],
]

/** What both sides say about themselves, the prompt, and what only one side recorded. */
export function sidesSection({ candidate, reference, alignment }: Comparison, tokens: TokenNames): Markup {
  const fields = FIELDS.filter(
    ([key]) => candidate.identity[key] !== undefined || reference.identity[key] !== undefined,
  )
  return html`<section aria-labelledby="sides-title"><h2 id="sides-title">Manifests</h2>
<div class="scroll" tabindex="0" role="group" aria-label="Manifests"><table class="figures sides"><thead><tr><th scope="col">Stated</th><th scope="col">Candidate</th><th scope="col">Reference</th></tr></thead><tbody>
${row('Path', candidate.path, reference.path, false)}${row('Format', candidate.format, reference.format, false)}${row('Run', candidate.run, reference.run, false)}
${fields.map(([key, label]) => row(label, stated(candidate, key), stated(reference, key), true))}
</tbody></table></div>
${promptText(alignment.promptTokenIds, tokens)}
${onlyText('candidate', alignment.onlyCandidate)}${onlyText('reference', alignment.onlyReference)}</section>`
}

function row(label: string, ours: string | undefined, theirs: string | undefined, judged: boolean): Markup {
  const cell = (value: string | undefined) =>
    value === undefined ? html`<td class="absent">not stated</td>` : html`<td>${value}</td>`
  const differs = judged && ours !== undefined && theirs !== undefined && ours !== theirs
  return html`<tr><th scope="row">${label}${differs && html` <span class="differs">differs</span>`}</th>${cell(ours)}${cell(theirs)}</tr>`
}

function stated({ identity }: Side, key: keyof RunIdentity): string | undefined {
  const value = identity[key]
  if (value === undefined) return undefined
  return Array.isArray(value) ? value.slice(0, 100).join(', ') || 'nothing' : String(value)
}

function promptText(ids: readonly number[], tokens: TokenNames): Markup | undefined {
  if (ids.length === 0) return undefined
  const shown = capped(
    ids,
    512,
    (id) => html`<li>${tokens.markup(id)}</li>`,
    (left) => html`<li>and ${left} more</li>`,
  )
  return html`<details><summary>The prompt: ${ids.length} token${ids.length > 1 && 's'}</summary><ol class="tokens" start="0">${shown}</ol></details>`
}

function onlyText(name: string, checkpoints: readonly string[]): Markup | undefined {
  if (checkpoints.length === 0) return undefined
  const items = capped(
    checkpoints,
    100,
    (checkpoint) => html`<li><code>${checkpoint}</code></li>`,
    (left) => html`<li>and ${left} more</li>`,
  )
  return html`<details><summary>Only the ${name} has ${checkpoints.length} checkpoint${checkpoints.length > 1 && 's'}</summary><ul class="tokens">${items}</ul></details>`
}
