import { haikuNanoPath } from '@plumbline/haiku-nano'
import { EXIT } from '@plumbline/protocol'
import { describe, expect, test } from 'vitest'
import type { CheckResult } from '../src/checkers/check.ts'
import { fixtureCommand, runHarness } from './helpers/run-harness.ts'

// On haiku-nano, whose weights are quantised: activations are rounded, and the replay rounds them, too. What no replay decides does not depend
// on it, and is tested in misbehaving-workers.test.ts.

async function failed(fixture: string, environment: NodeJS.ProcessEnv = {}, replaySeconds = 5) {
  const worker = ['--model', haikuNanoPath, '--worker-command', fixtureCommand(fixture), '--precision', 'fast']
  const { stdout, stderr, exitCode } = await runHarness(
    ['haiku', ...worker, '--attempts', '1', '--replay-seconds', String(replaySeconds), '--json'],
    environment,
  )
  if (stdout === '') throw new Error(`no verification; stderr: ${stderr}`)
  const verification = JSON.parse(stdout)
  const checks = verification.genuine as CheckResult[]
  expect(exitCode === EXIT.ok || exitCode === EXIT.judgedFailed).toBe(true)
  expect(verification.replays[0].activations).toBe('q8_16')
  return checks.filter(({ verdict }) => verdict === 'fail').map(({ name }) => name)
}

describe('in fast, where draws are replayed with rounded activations', { timeout: 120_000 }, () => {
  test('honest: the control passes all checks', async () => {
    expect(await failed('honest')).toEqual([])
  })

  test('made first, and rounded as it should be: stream-probe alone', async () => {
    expect(await failed('made-first')).toEqual(['stream-probe'])
  })

  test.each(['canned-haiku', 'pasted-words'])('%s: replay', async (fixture) => {
    expect(await failed(fixture)).toContain('replay')
  })

  test.each(['other-model', 'four-bits'])('%s: replay alone', async (fixture) => {
    expect(await failed(fixture)).toEqual(['replay'])
  })

  // 128 tokens: of them none may be off, of those behind them a few in a thousand.
  test('the tail of the shortest probe tampered with: replay alone', async () => {
    expect(await failed('tampered-tail', {}, 0.001)).toEqual(['replay'])
  })

  test.each([
    { seed: '1' },
    { temperature: 1 },
    { temperature: 0 },
    { minP: 0 },
    { topK: 2 },
    { repetitionPenalty: 1.3 },
  ])('sampling with %o in the place of what was asked for: replay alone', async (sampling) => {
    const environment = { PLUMBLINE_FIXTURE_SAMPLING: JSON.stringify(sampling) }
    expect(await failed('other-sampling', environment)).toEqual(['replay'])
  })
})
