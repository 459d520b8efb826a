import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { end, honestEvents, honestEvidence, started, streamOf } from '../../test/helpers/recorded.ts'
import type { Evidence } from '../evidence/evidence.ts'
import type { RunRecord } from '../haiku-run.ts'
import { verify } from '../verification.ts'
import { renderMarkdown } from './markdown.ts'
import { renderRun } from './terminal.ts'

function runOf(evidence: Evidence): RunRecord {
  return {
    folder: '/artifacts/haiku/x',
    startedAt: '2026-01-01T00:54:00.000Z',
    durationMs: 1234,
    worker: { url: 'http://127.0.0.1:1', command: 'worker --x', pid: 100, healthyMs: 700, log: undefined },
    evidence,
    verification: verify(evidence),
  }
}

function withText(text: string): Evidence {
  const evidence = honestEvidence()
  const stream = streamOf([started(), end(0, { t: text })])
  return { ...evidence, attempts: [{ ...evidence.attempts[0]!, stream }] }
}

test('the report names every check, fits 80 columns, and frames a text that does not', () => {
  const long = `${'a line of a poem that never seems to end and goes on and on '.repeat(3)}\n${'x'.repeat(200)}`
  const run = runOf(withText(long))
  const lines = stripVTControlCharacters(renderRun(run)).split('\n')
  expect(lines.filter((line) => line.length > 80)).toEqual([])
  for (const check of run.verification.genuine) expect(lines.join('\n')).toContain(` ${check.name} `)
  expect(lines.join('\n')).toContain('expected: ')
  expect(lines.at(-1)).toBe('evidence   /artifacts/haiku/x')
})

test('a failure comes with its cause and what to do', () => {
  const evidence = honestEvidence()
  const cut = { ...evidence, attempts: [{ ...evidence.attempts[0]!, stream: streamOf(honestEvents.slice(0, 2)) }] }
  const text = stripVTControlCharacters(renderRun(runOf(cut)))
  expect(text).toContain('cause      haiku: the body ended')
  expect(text).toContain('what to do ')
  expect(text).toMatch(/genuine {4}FAIL/)
})

test('control characters from a worker do not reach the terminal', () => {
  const text = renderRun(runOf(withText('\u001b[2Jgone\u0007')))
  expect(text).not.toContain('\u001b[2J')
  expect(text).not.toContain('\u0007')
})

test('text from a worker is no markup in report.md', () => {
  const text = renderMarkdown(runOf(withText('<script>alert(1)</script> | [x](y)')))
  expect(text).not.toContain('<script>')
  expect(text).not.toContain('[x](y)')
  expect(text).toContain('**genuine: fail**')
})
