import { type Comparison, LOGIT_METRIC_NAMES, METRIC_NAMES } from '../comparison/comparison.ts'

const HEAD = [
  'candidate_run',
  'reference_run',
  'checkpoint',
  'layer',
  'op',
  'position',
  'width',
  'compared',
  ...METRIC_NAMES,
  ...LOGIT_METRIC_NAMES,
  'tolerance',
  'exceeds',
]

/** Every compared row, a line each (RFC 4180, but lines end as in Unix). */
export function* csvLines(comparisons: readonly Comparison[]): Generator<string> {
  yield line(HEAD)
  for (const { candidate, reference, checkpoints } of comparisons) {
    for (const { name, layer, op, width, compared, positions, metrics, logits, tolerance, exceeding } of checkpoints) {
      const exceeds = new Set(exceeding)
      for (const [row, position] of positions.entries()) {
        yield line([
          candidate.run,
          reference.run,
          name,
          layer ?? '',
          op,
          position,
          width,
          compared,
          ...METRIC_NAMES.map((metric) => metrics[metric][row]!),
          ...LOGIT_METRIC_NAMES.map((metric) => logits?.[metric][row] ?? ''),
          tolerance,
          exceeds.has(row) ? 1 : 0,
        ])
      }
    }
  }
}

function line(cells: readonly (string | number)[]): string {
  return `${cells.map((cell) => quote(String(cell))).join(',')}\n`
}

/** A spreadsheet would run a text that begins like a formula. */
function quote(text: string): string {
  const safe = /^[=+@\t]/.test(text) ? `'${text}` : text
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
