import type { ComparedCheckpoint, Comparison, Side } from '../comparison/comparison.ts'
import { shortNumber, worstRow } from './summary.ts'

/** How many checkpoints are listed. */
const LISTED = 12

/** A comparison as a person reads it on a terminal: the verdict first, what was not shown right under it. */
export function renderText(comparison: Comparison): string {
  const { verdict, alignment, candidate, reference } = comparison
  return [
    verdict.line,
    ...alignment.unverified.map((what) => `  unverified: ${what}`),
    ...comparison.unchecked.map((what) => `  unchecked: ${what}`),
    ...alignment.refusals.flatMap(({ details = [] }) => details.map((line) => `  ${line}`)),
    '',
    `candidate  ${describe(candidate)}`,
    `reference  ${describe(reference)}`,
    `profile    ${comparison.profile} (${comparison.profileReason})`,
    ...alignment.mappings.map((mapping) => `mapping    ${mapping}`),
    ...(comparison.greedy === undefined ? [] : [`greedy     ${comparison.greedy.kind}: ${comparison.greedy.message}`]),
    `coverage   ${shortNumber(comparison.coverage * 100)} % of the values that either side computed`,
    ...onlyOne('candidate', alignment.onlyCandidate),
    ...onlyOne('reference', alignment.onlyReference),
    ...unfit('candidate', candidate),
    ...unfit('reference', reference),
    ...table(comparison.checkpoints),
  ].join('\n')
}

function describe({ path, format, run, identity }: Side): string {
  const { engine, engineVersion, modelName, precision, promptTokenIds } = identity
  const facts = [
    format,
    [engine, engineVersion].filter((part) => part !== undefined).join(' '),
    modelName,
    precision,
    promptTokenIds === undefined ? 'no prompt ids' : `prompt of ${promptTokenIds.length} tokens`,
  ].filter((fact) => fact !== undefined && fact !== '')
  return `${path} [${run}]: ${facts.join(', ')}`
}

function onlyOne(who: string, names: readonly string[]): string[] {
  if (names.length === 0) return []
  const shown = names.length > 4 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ')
  return [`only the ${who} has ${shown}`]
}

function unfit(who: string, { faults, unfit }: Side): string[] {
  const place = (at: { file: string; line?: number; byteOffset?: number }) =>
    [
      at.file,
      at.line === undefined ? '' : `line ${at.line}`,
      at.byteOffset === undefined ? '' : `byte ${at.byteOffset}`,
    ]
      .filter((part) => part !== '')
      .join(', ')
  return [
    ...faults.map((fault) => `untrusted ${who}: ${fault.kind}: ${fault.message} (${place(fault)})`),
    ...unfit.map(
      (finding) =>
        `untrusted ${who}: ${finding.kind}: ${finding.checkpoint} at position ${finding.position}: ${finding.message} (${place(finding)})`,
    ),
  ]
}

/** The checkpoints nearest to their tolerance or beyond it, in the order of computation. */
function table(checkpoints: readonly ComparedCheckpoint[]): string[] {
  if (checkpoints.length === 0) return []
  const rows = mostTelling(checkpoints).map((checkpoint) => {
    const row = worstRow(checkpoint)
    const { metrics, positions, exceeding, tolerance } = checkpoint
    return [
      checkpoint.name,
      `${positions[row]}`,
      shortNumber(metrics.nmse[row]),
      shortNumber(tolerance),
      shortNumber(metrics.max_abs[row]),
      shortNumber(metrics.cosine[row], 6),
      `${metrics.max_ulp[row]}`,
      exceeding.length === 0 ? '' : `${exceeding.length} of ${positions.length} rows exceed`,
    ]
  })
  const head = ['checkpoint', 'worst token', 'NMSE', 'allowed', 'max abs', 'cosine', 'max ULP', '']
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((text, column) => text.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return ['', line(head), ...rows.map(line)]
}

/** The first that exceed where any does; else those closest to exceeding. */
export function mostTelling(checkpoints: readonly ComparedCheckpoint[]): readonly ComparedCheckpoint[] {
  const exceeding = checkpoints.findIndex(({ exceeding }) => exceeding.length > 0)
  if (exceeding !== -1) return checkpoints.slice(Math.max(0, exceeding - 2), exceeding + LISTED - 2)
  const share = (checkpoint: ComparedCheckpoint) =>
    checkpoint.metrics.nmse[worstRow(checkpoint)]! / (checkpoint.tolerance || 1)
  const closest = new Set([...checkpoints].sort((a, b) => share(b) - share(a)).slice(0, LISTED))
  return checkpoints.filter((checkpoint) => closest.has(checkpoint))
}
