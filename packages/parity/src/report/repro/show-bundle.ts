import { nmse } from '@plumbline/reference'
import { visible } from '../html/markup.ts'
import { largestDifferences } from '../largest.ts'
import { shortNumber } from '../summary.ts'
import type { Bundle } from './bundle.ts'
import { bundleOutput, replayBundle } from './replay.ts'

export interface ShownBundle {
  readonly text: string
  /** Whether the bundle's outputs differ beyond its tolerance. */
  readonly differs: boolean
}

const SHOWN_VALUES = 10

/** A bundle's difference, found again from its arrays: what each side gave, and what the op gives from each side's own inputs. */
export function showBundle(bundle: Bundle): ShownBundle {
  const { repro } = bundle
  const { checkpoint, position, phase, tolerance, columns, width, cause, notes } = repro
  const candidate = bundleOutput(bundle, 'candidate')
  const reference = bundleOutput(bundle, 'reference')
  const replayed = { candidate: replayBundle(bundle, 'candidate'), reference: replayBundle(bundle, 'reference') }
  const error = nmse(candidate, reference)
  const judged = (value: number) => (value <= tolerance ? 'within tolerance' : 'differs')
  const line = (name: string, value: number) => `  ${name.padEnd(52)}${shortNumber(value).padEnd(12)}${judged(value)}`
  const worst = largestDifferences({ candidate, reference }, SHOWN_VALUES)
  const table = worst.map((i) => [
    `${columns[i]}`,
    ...[candidate[i]!, reference[i]!, replayed.candidate?.[i], replayed.reference?.[i]].map((value) =>
      shortNumber(value, 7),
    ),
  ])
  const head = ['column', 'candidate', 'reference', "from candidate's inputs", "from reference's inputs"]
  const widths = head.map((text, column) => Math.max(text.length, ...table.map((row) => row[column]!.length)))
  const text = [
    repro.verdict,
    '',
    `${checkpoint} at position ${position}${phase === null ? '' : ` (${phase})`}: ${columns.length} of ${width} values`,
    `  ${'NMSE'.padEnd(52)}${''.padEnd(12)}tolerance ${shortNumber(tolerance)}`,
    line('candidate against reference', error),
    ...(replayed.candidate === undefined
      ? []
      : [line("candidate against the op on candidate's inputs", nmse(candidate, replayed.candidate))]),
    ...(replayed.reference === undefined
      ? []
      : [line("reference against the op on reference's inputs", nmse(reference, replayed.reference))]),
    ...(cause === null ? [] : [`  likely cause: ${cause.message} (${cause.mistake})`]),
    ...notes.map((note) => `  ${note}`),
    '',
    ...[head, ...table].map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join('  ')),
  ]
  return { text: visible(text.join('\n')), differs: !(error <= tolerance) }
}
