import { linesOf } from '@plumbline/haiku-nano'
import type { CheckResult } from '../checkers/check.ts'
import type { RunRecord } from '../haiku-run.ts'

/** report.md: the run for someone who was not there. */
export function renderMarkdown(run: RunRecord): string {
  const { verification, evidence, worker } = run
  const { verdicts } = verification
  const attempts = verification.attempts.map((attempt, index) => {
    const { challenge } = attempt
    return [
      `### Attempt ${index + 1}: ${attempt.verdict}`,
      '',
      `At ${challenge.madeAt}: a haiku about "${challenge.topic}" with "${challenge.minuteWord}" and "${challenge.word}".`,
      '',
      ...linesOf(attempt.text).map((line, row) => `> ${escapeMarkdown(line)} *(${attempt.syllables[row]})*  `),
      '',
      table(attempt.checks),
    ].join('\n')
  })
  const { diagnosis } = verification
  return [
    '# Plumbline: haiku',
    '',
    `**genuine: ${verdicts.genuine}**, **haiku: ${verdicts.haiku}** (exit ${verification.exitCode})`,
    '',
    `- worker: ${worker.command ?? worker.url}`,
    `- model: \`${evidence.subject.path}\`, sha256 \`${evidence.subject.file.sha256}\``,
    `- at ${run.startedAt}, in ${(run.durationMs / 1000).toFixed(1)} s`,
    ...(diagnosis === undefined
      ? []
      : ['', `**${escapeMarkdown(diagnosis.cause)}** ${escapeMarkdown(diagnosis.advice)}`]),
    '',
    '## Is it a haiku?',
    '',
    attempts.join('\n\n'),
    '',
    '## Is it genuine?',
    '',
    table(verification.genuine),
    '',
    '## Evidence beside this file',
    '',
    '- `verification.json`: all of the above',
    '- `sse_transcript.ndjson`: every frame, with milliseconds after its request',
    '- `replay.json`: every draw made again, with its margin',
    '- `metrics_before.prom`, `metrics_after.prom`, `environment.json`, `worker.log`',
    '',
  ].join('\n')
}

function table(checks: readonly CheckResult[]): string {
  const rows = checks.map(
    ({ name, verdict, expected, seen }) =>
      `| ${name} | ${verdict} | ${escapeMarkdown(expected)} | ${escapeMarkdown(seen)} |`,
  )
  return ['| check | verdict | expected | seen |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** Text from a worker must not become markup. */
function escapeMarkdown(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>()#|~]/g, '\\$&')
}
