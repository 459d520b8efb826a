import { styleText } from 'node:util'
import { linesOf } from '@plumbline/haiku-nano'
import type { CheckResult, Verdict } from '../checkers/check.ts'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { RunRecord } from '../haiku-run.ts'
import { fileSize, frame, printable, wrap } from './layout.ts'

const MARKS = { pass: '✓', fail: '✗', unknown: '?', 'not measurable': '–' } as const
const COLOURS = { pass: 'green', fail: 'red', unknown: 'yellow', 'not measurable': 'dim' } as const
const NAME_WIDTH = 17

const paint = (verdict: Verdict, text: string) => styleText(COLOURS[verdict], text, { stream: process.stdout })
const bold = (text: string) => styleText('bold', text, { stream: process.stdout })
const dim = (text: string) => styleText('dim', text, { stream: process.stdout })

/** A run as a person reads it, in 80 columns. */
export function renderRun(run: RunRecord): string {
  const { verification, evidence, worker } = run
  const { subject } = evidence
  const health = evidence.healthBefore.health
  const where = worker.pid === undefined ? worker.url : `pid ${worker.pid} at ${worker.url}`
  const parts = [
    '',
    wrap(
      'worker     ',
      `${where}, healthy after ${(worker.healthyMs / 1000).toFixed(1)} s (${health?.backend}, ${health?.precision})`,
    ),
    wrap(
      'model      ',
      `${health?.model}: ${subject.architecture}, ${fileSize(subject.file.bytes)}, sha256 ${subject.file.sha256.slice(0, 16)}…`,
    ),
  ]
  verification.attempts.forEach((attempt, index) => {
    const { topic, minuteWord, word } = attempt.challenge
    const count = verification.attempts.length > 1 ? ` (attempt ${index + 1})` : ''
    // A line too long for the frame goes on below; its count stands at its beginning.
    const rows = linesOf(attempt.text).flatMap((line, at) =>
      wrap('', line, 64)
        .split('\n')
        .map((text, part) => ({ text, count: part === 0 ? String(attempt.syllables[at]) : '' })),
    )
    parts.push(
      wrap('challenge  ', `"${topic}", with "${minuteWord}" and "${word}"${count}`),
      '',
      frame(
        rows.length === 0 ? ['(no text)'] : rows.map(({ text }) => text),
        rows.map(({ count }) => count),
      ),
      '',
    )
    // Why another attempt was due; the last one's checks are listed below.
    if (index < verification.attempts.length - 1) {
      const missed = attempt.checks.filter(({ verdict }) => verdict !== 'pass').map(({ seen }) => seen)
      parts.push(wrap('           ', `not the haiku asked for: ${missed.join('; ')}`), '')
    }
  })
  const last = verification.attempts.at(-1)
  const pattern = last === undefined ? '' : `syllables ${last.syllables.join('-')} (5-7-5 is not required)`
  parts.push(
    `${bold('haiku')}      ${verdictWord(verification.verdicts.haiku)}  ${dim(pattern)}`,
    ...(last?.checks ?? []).map(renderCheck),
    '',
    `${bold('genuine')}    ${verdictWord(verification.verdicts.genuine)}  ${dim('this worker, with this model, made this text just now')}`,
    ...verification.genuine.map(renderCheck),
    '',
  )
  if (verification.diagnosis !== undefined) parts.push(renderDiagnosis(verification.diagnosis), '')
  parts.push(`evidence   ${run.folder}`)
  return parts.join('\n')
}

export function renderDiagnosis({ cause, advice, logTail }: Diagnosis): string {
  const tail = logTail.map((line) => dim(`  | ${printable(line).slice(0, 76)}`))
  return [wrap('cause      ', cause), wrap('what to do ', advice), ...tail].join('\n')
}

function verdictWord(verdict: Verdict): string {
  return bold(paint(verdict, verdict.toUpperCase()))
}

function renderCheck({ name, verdict, expected, seen }: CheckResult): string {
  const head = `  ${MARKS[verdict]} ${name.padEnd(NAME_WIDTH)}`
  const mark = paint(verdict, MARKS[verdict])
  const finish = (block: string) => block.replace(MARKS[verdict], mark)
  if (verdict === 'pass') return finish(wrap(head, seen))
  const indent = ' '.repeat(head.length)
  return [finish(wrap(head, `${verdict}: ${seen}`)), dim(wrap(`${indent}expected: `, expected))].join('\n')
}
