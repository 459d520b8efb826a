import { judgeGoals } from './goals.ts'
import type { BenchReport, Measurement } from './report.ts'
import { ROWS } from './rows.ts'
import { type Summary, spread } from './statistics.ts'

/** Quartiles further apart than this share of the median: the row is marked. */
const UNSTEADY = 0.1

/** bench.md. */
export function renderBench(report: BenchReport): string {
  const { machine, noise, limits, llamaCppCommit, backend, forcedCpuVariant, rounds, runs } = report
  const lines = [
    '# What the worker does, beside what the machine can do',
    '',
    `\`${report.command}\`, ${report.date}, commit ${report.commit}, \`--precision ${report.precision}\`${backend === undefined ? '' : ` on ${backend}`}${forcedCpuVariant === undefined ? '' : ` (PLUMBLINE_CPU_VARIANT=${forcedCpuVariant})`}, ${runs === undefined ? '' : `median of ${runs} whole runs, each the `}median of ${rounds} rounds after a warm-up.`,
    llamaCppCommit === undefined
      ? 'llama.cpp was not measured beside it (`PLUMBLINE_LLAMA_CPP` names the folder of its programs).'
      : `llama.cpp ${llamaCppCommit} on the same files in the same rounds, the order changing; × is how many times better Plumbline is.`,
    '',
    `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB; Linux ${machine.kernel}, Node ${machine.node}; ${machine.instructionSets.join(' ') || 'no x86 vector extensions'}.`,
    '',
    `Noise: ${noise.noisy ? '**the machine was too noisy to tell**' : 'quiet enough'} (the loop took ${percent(noise.slowdown)} more than its fastest, lost ${percent(noise.lost)}).`,
    `The rule: ${noise.rule}. In brackets the quartiles${runs === undefined ? '' : ' of the runs'}; ~ marks a row whose quartiles are over ${percent(UNSTEADY)} apart.`,
    '',
    ...goalLines(report),
    '## Limits',
    '',
    ...table(
      ['threads', 'read bandwidth', 'int8', 'float32'],
      limits.map(({ threads, readBandwidth, int8, float32 }) => [
        String(threads),
        `${cell(readBandwidth, 1e9)} GB/s`,
        `${cell(int8, 1e9)} Gop/s (${int8.instructions})`,
        `${cell(float32, 1e9)} Gop/s (${float32.instructions})`,
      ]),
    ),
  ]
  for (const row of ROWS) {
    const measured = report.measurements.filter((measurement) => measurement.row === row.name)
    if (measured.length === 0) continue
    lines.push(
      '',
      `## ${row.name}`,
      '',
      `${row.title}, ${row.unit}; ${row.better} is better.`,
      '',
      ...rowTable(measured),
    )
  }
  return `${lines.join('\n')}\n`
}

/** What is to be reached, and whether it is. */
function goalLines(report: BenchReport): string[] {
  const judged = judgeGoals(report)
  if (judged.length === 0) return []
  const rows = judged.map(({ goal, model, value, reached }) => [
    goal.what,
    model,
    number(value),
    `${goal.better === 'higher' ? '≥' : '≤'} ${goal.toReach}`,
    goal.aim === undefined ? '—' : String(goal.aim),
    reached ? 'yes' : '**no**',
  ])
  return ['## To reach', '', ...table(['what', 'model', 'measured', 'to reach', 'aim', 'reached'], rows), '']
}

function rowTable(measured: readonly Measurement[]): string[] {
  const compared = measured.some(({ llamaCpp }) => llamaCpp !== undefined)
  const streamed = measured.some(({ bandwidthShare }) => bandwidthShare !== undefined)
  const head = ['model', 'threads', 'Plumbline']
  if (compared) head.push('llama.cpp', '×')
  if (streamed) head.push('of read bandwidth')
  if (streamed && compared) head.push('llama.cpp, of read bandwidth')
  const rows = measured.map((one) => {
    const cells = [one.model, String(one.threads), cell(one.plumbline)]
    if (compared) cells.push(cell(one.llamaCpp), cell(one.ratio))
    if (streamed) cells.push(cell(one.bandwidthShare))
    if (streamed && compared) cells.push(cell(one.llamaCppBandwidthShare))
    return cells
  })
  return table(head, rows)
}

/** The median, and in brackets the quartiles; an em dash where nothing was measured. */
export function cell(summary: Summary | undefined, unit = 1): string {
  if (summary === undefined) return '—'
  const { median, lower, upper } = summary
  const mark = spread(summary) > UNSTEADY ? '~' : ''
  return `${mark}${number(median / unit)} (${number(lower / unit)}–${number(upper / unit)})`
}

/** Three significant digits, and no fewer than all before the point. */
export function number(value: number): string {
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(digits, 4))
}

const percent = (share: number) => `${(share * 100).toFixed(0)} %`

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}
