import { linesOf } from '@plumbline/haiku-nano'
import type { RunRecord } from '../haiku-run.ts'

/** --runs N: a line a run, and how many passed. */
export function renderSummary(runs: readonly RunRecord[], folder: string): string {
  const rows = runs.map(({ verification }, index) => {
    const last = verification.attempts.at(-1)
    const failed = verification.genuine.filter((check) => check.verdict !== 'pass').map((check) => check.name)
    return [
      String(index + 1).padStart(4),
      verification.verdicts.genuine.padEnd(7),
      verification.verdicts.haiku.padEnd(7),
      String(verification.attempts.length).padStart(8),
      (last?.syllables.join('-') ?? '').padEnd(9),
      failed.length > 0 ? `not: ${failed.join(', ')}` : (linesOf(last?.text ?? '')[0] ?? ''),
    ].join('  ')
  })
  const count = (verdict: 'genuine' | 'haiku') =>
    runs.filter(({ verification }) => verification.verdicts[verdict] === 'pass').length
  return [
    '',
    ' run  genuine  haiku    attempts  syllables',
    ...rows.map((row) => row.slice(0, 80).trimEnd()),
    '',
    `genuine in ${count('genuine')} of ${runs.length} runs, a haiku in ${count('haiku')}`,
    `evidence   ${folder}`,
  ].join('\n')
}
