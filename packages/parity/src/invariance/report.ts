import { EXIT, type ExitCode, traceNumberSchema, worstExit } from '@plumbline/protocol'
import { z } from 'zod'
import { documentHead, documentSchema } from '../report/json-document.ts'
import { shortNumber } from '../report/summary.ts'
import type { Cell, Way } from './cell.ts'
import type { Matrix } from './run-matrix.ts'

export interface InvarianceReport extends Matrix {
  readonly model: string
  readonly promptTokenIds: readonly number[]
  readonly maxTokens: number
}

export function invarianceExit({ cells }: Matrix): ExitCode {
  return worstExit(cells.map(({ exitCode }) => exitCode as Exclude<ExitCode, 2>))
}

/** One line that says it all. */
export function invarianceLine({ cells, base, model }: InvarianceReport): string {
  if (cells.length === 0) return `NOTHING COMPARED: there is no other way than ${wayWords(base)}`
  const [worst] = cells.toSorted((a, b) => b.exitCode - a.exitCode || b.nmse - a.nmse)
  if (worst!.exitCode !== EXIT.ok) {
    const bad = cells.filter(({ exitCode }) => exitCode !== EXIT.ok)
    const unshown = bad.every(({ outcome }) => outcome === 'not-shown')
    return `${unshown ? 'NOT SHOWN TO BE INVARIANT' : 'NOT INVARIANT'}: ${bad.length} of ${cells.length} ways; ${wayWords(worst!)}: ${worst!.message}`
  }
  const equal = cells.filter(({ outcome }) => outcome === 'equal')
  const within = cells.length - equal.length
  const rest = within === 0 ? '' : `, ${within} within noise (the most is NMSE ${shortNumber(worst!.nmse, 2)})`
  return `INVARIANT: ${model} in ${cells.length} ways against ${wayWords(base)}: ${equal.length} equal bit for bit${rest}`
}

const wayWords = ({ precision, threads, how }: Way) =>
  `${precision}, ${threads} thread${threads === 1 ? '' : 's'}, ${how}`

interface Grid {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** A row for each way of putting the tokens through, a column for each precision and number of threads. */
function gridOf({ cells, base }: Matrix): Grid {
  const all: (Way & { cell?: Cell })[] = [base, ...cells.map((cell) => ({ ...cell, cell }))]
  const column = ({ precision, threads }: Way) => `${precision}, ${threads} thread${threads === 1 ? '' : 's'}`
  const columns = [...new Set(all.map(column))]
  const hows = [...new Set(all.map(({ how }) => how))]
  const text = (how: string, name: string) => {
    const found = all.find((way) => way.how === how && column(way) === name)
    if (found === undefined) return ''
    return found.cell === undefined ? '(base)' : cellText(found.cell)
  }
  return { head: ['', ...columns], rows: hows.map((how) => [how, ...columns.map((name) => text(how, name))]) }
}

function cellText({ outcome, nmse, first }: Cell): string {
  if (outcome === 'equal') return 'bit-equal'
  const from = first === undefined ? '' : ` from ${first.checkpoint}, token ${first.position}`
  const mark = {
    within: '',
    'not-shown': 'NOT SHOWN ',
    differs: 'DIFFERS ',
    'not-comparable': 'NOT COMPARABLE ',
    untrusted: 'UNTRUSTED ',
  }[outcome]
  return `${mark}${shortNumber(nmse, 2)}${from}`
}

export function invarianceText(report: InvarianceReport): string {
  const { head, rows } = gridOf(report)
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    `  ${row
      .map((text, column) => text.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()}`
  const bad = report.cells.filter(({ exitCode }) => exitCode !== EXIT.ok)
  return [
    invarianceLine(report),
    `  ${report.promptTokenIds.length} prompt tokens, ${report.generated} generated; NMSE of the worst row, and where the first value that differs is`,
    line(head),
    ...rows.map(line),
    ...bad.map((cell) => `  ${wayWords(cell)}: ${cell.message}`),
  ].join('\n')
}

export function invarianceMarkdown(report: InvarianceReport): string {
  const { head, rows } = gridOf(report)
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`
  const mark = invarianceExit(report) === EXIT.ok ? '✅' : '❌'
  const table = [line(head), line(head.map(() => '---')), ...rows.map(line)]
  return [`### ${mark} ${invarianceLine(report).replaceAll('|', '\\|')}`, '', ...table, ''].join('\n')
}

const wayShape = { precision: z.enum(['fast', 'exact']), threads: z.int(), how: z.string() }
export const invarianceJsonSchema = documentSchema('invariance', {
  model: z.string(),
  prompt_token_ids: z.array(z.int()),
  generated: z.int(),
  base: z.strictObject(wayShape),
  cells: z.array(
    z.strictObject({
      ...wayShape,
      outcome: z.enum(['equal', 'within', 'not-shown', 'differs', 'not-comparable', 'untrusted']),
      exit_code: z.int(),
      nmse: traceNumberSchema,
      first: z.strictObject({ checkpoint: z.string(), position: z.int() }).nullable(),
      message: z.string(),
    }),
  ),
})

export function invarianceJson(report: InvarianceReport): z.output<typeof invarianceJsonSchema> {
  const { model, promptTokenIds, generated, base, cells } = report
  return {
    ...documentHead('invariance', invarianceExit(report)),
    model,
    prompt_token_ids: [...promptTokenIds],
    generated,
    base,
    cells: cells.map(({ precision, threads, how, outcome, exitCode, nmse, first = null, message }) => ({
      ...{ precision, threads, how, outcome, message, first },
      exit_code: exitCode,
      nmse: Number.isFinite(nmse) ? nmse : (String(nmse) as 'NaN' | 'Infinity'),
    })),
  }
}
