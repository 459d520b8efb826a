import type { ComparedCheckpoint, Comparison } from '../comparison/comparison.ts'
import { shortNumber, worstRow } from './summary.ts'
import { mostTelling } from './text.ts'

/** GitHub takes a job summary of 1 MiB; several comparisons may share one. */
const MOST_DETAILS = 40

/** Comparisons for a GitHub job summary. */
export function renderMarkdown(comparisons: readonly Comparison[]): string {
  return comparisons.map(one).join('\n')
}

function one({ verdict, alignment, candidate, reference, profile, profileReason, ...rest }: Comparison): string {
  const details = alignment.refusals.flatMap(({ details = [] }) => details)
  const findings = [
    ...[...candidate.faults, ...candidate.unfit].map((finding) => `untrusted candidate: ${tell(finding)}`),
    ...[...reference.faults, ...reference.unfit].map((finding) => `untrusted reference: ${tell(finding)}`),
  ].slice(0, MOST_DETAILS)
  return [
    `### ${verdict.exitCode === 0 ? '✅' : '❌'} ${escapeMarkdown(verdict.line)}`,
    '',
    ...alignment.unverified.map((what) => `- unverified: ${escapeMarkdown(what)}`),
    ...rest.unchecked.map((what) => `- unchecked: ${escapeMarkdown(what)}`),
    ...findings.map((finding) => `- ${escapeMarkdown(finding)}`),
    `- candidate: \`${code(candidate.path)}\` (${code(candidate.format)}), reference: \`${code(reference.path)}\` (${code(reference.format)})`,
    `- profile: ${profile} (${escapeMarkdown(profileReason)}), coverage ${shortNumber(rest.coverage * 100)} %, exit ${verdict.exitCode}`,
    ...alignment.mappings.map((mapping) => `- mapping: ${escapeMarkdown(mapping)}`),
    ...(rest.greedy === undefined ? [] : [`- greedy: ${escapeMarkdown(rest.greedy.message)}`]),
    ...(details.length === 0 ? [] : ['', '```', ...details.map(code), '```']),
    ...table(rest.checkpoints),
    '',
  ].join('\n')
}

function tell(finding: { kind: string; message: string; checkpoint?: string; position?: number }): string {
  const place = finding.checkpoint === undefined ? '' : `${finding.checkpoint} at position ${finding.position}: `
  return `${finding.kind}: ${place}${finding.message}`
}

function table(checkpoints: readonly ComparedCheckpoint[]): string[] {
  if (checkpoints.length === 0) return []
  const rows = mostTelling(checkpoints).map((checkpoint) => {
    const row = worstRow(checkpoint)
    const { metrics, positions, exceeding, tolerance } = checkpoint
    const numbers = [metrics.nmse[row], tolerance, metrics.max_abs[row], metrics.cosine[row]].map((value) =>
      shortNumber(value),
    )
    const mark = exceeding.length === 0 ? '' : `**${exceeding.length} of ${positions.length} rows exceed**`
    return `| ${checkpoint.name} | ${positions[row]} | ${numbers.join(' | ')} | ${mark} |`
  })
  return [
    '',
    '| checkpoint | worst token | NMSE | allowed | max abs | cosine | |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ]
}

/** Text from a recording must not become markup. */
function escapeMarkdown(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>()#|~]/g, '\\$&')
}

/** Nor end a span or block of code. */
const code = (text: string) => text.replaceAll('`', "'")
