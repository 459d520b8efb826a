import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { haikuNanoPath } from '@plumbline/haiku-nano'
import { EXIT } from '@plumbline/protocol'
import { asset, committedAsset, describeWithAssets } from '@plumbline/protocol/testing'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { CheckResult } from '../src/checkers/check.ts'
import { LOGIT_NOISE } from '../src/evidence/logit-noise.ts'
import { readProcessFacts } from '../src/probes/process-facts.ts'
import { waitUntil } from '../src/worker-process/process-identity.ts'
import { exchangeTensors } from './helpers/exchange-tensors.ts'
import { childrenOf, fixtureCommand, runHarness, startHarness } from './helpers/run-harness.ts'

// Plumbline's own worker, built, on its own engine.

async function judge(args: string[], environment: NodeJS.ProcessEnv = {}) {
  const result = await runHarness(['haiku', '--json', '--replay-seconds', '10', ...args], environment)
  if (result.stdout === '') throw new Error(`no verification; stderr: ${result.stderr}`)
  const verification = JSON.parse(result.stdout)
  const notPassed = (verification.genuine as CheckResult[] | undefined)?.filter((check) => check.verdict !== 'pass')
  return { ...result, verification, notPassed }
}

/** By /proc/cpuinfo; where there is none, every processor of an x86-64 Mac has it. */
function hasAvx2(): boolean {
  if (process.arch !== 'x64') return false
  return process.platform !== 'linux' || /^flags\s*:.* avx2\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
}

describe('the worker is genuine', { timeout: 300_000 }, () => {
  test('with haiku-nano', async () => {
    const { notPassed, verification } = await judge([])
    expect(notPassed).toEqual([])
    expect(verification.verdicts.genuine).toBe('pass')
  })

  test('its model is called after its file, by /health and by every stream', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-harness-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const named = join(folder, 'quiet.pond.gguf')
    copyFileSync(haikuNanoPath, named)
    const { verification, notPassed } = await judge(['--model', named, '--attempts', '1'])
    expect(notPassed).toEqual([])
    const identity = (verification.genuine as CheckResult[]).find(({ name }) => name === 'request-identity')
    expect(identity!.seen).toBe('quiet.pond on cpu')
  })

  test('five runs on one worker', async () => {
    const { verification } = await judge(['--runs', '5', '--replay-seconds', '2'])
    const runs = verification.runs as { genuine: CheckResult[] }[]
    expect(runs).toHaveLength(5)
    // All that is told of them, for whoever finds this failed.
    expect(runs.flatMap(({ genuine }) => genuine.filter((check) => check.verdict !== 'pass'))).toEqual([])
  })
})

test.skipIf(process.platform !== 'linux')('kill -9 of the harness leaves no worker and no engine running', async () => {
  const harness = startHarness(['haiku'])
  const [front] = await childrenOf(harness.pid)
  const [engine] = await childrenOf(front!)
  harness.kill('SIGKILL')
  for (const pid of [front!, engine!]) {
    expect(await waitUntil(async () => (await readProcessFacts(pid)) === undefined, 20_000)).toBe(true)
  }
})

describeWithAssets(describe, 'the worker is genuine with stories15M', () => {
  test('in exact', { timeout: 300_000 }, async () => {
    const { notPassed } = await judge(['--model', asset('models/stories15M-q8_0.gguf'), '--attempts', '1'])
    expect(notPassed).toEqual([])
  })
})

describe('another model behind the claimed name', { timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-harness-'))
  const other = join(folder, 'other.gguf')
  beforeAll(() => exchangeTensors(haikuNanoPath, ['blk.2.attn_q.weight', 'blk.3.attn_q.weight'], other))
  afterAll(() => rmSync(folder, { recursive: true }))

  // The proxy is found out besides: it is not the front process that answers, and the engine has the other file mapped.
  test('haiku-nano with two matrices exchanged: replay fails', async () => {
    const args = ['--worker-command', fixtureCommand('lying-proxy'), '--attempts', '1']
    const { notPassed, exitCode } = await judge(args, { PLUMBLINE_FIXTURE_OTHER_MODEL: other })
    expect(notPassed?.map((check) => [check.name, check.verdict])).toEqual([
      ['model-file', 'fail'],
      ['process', 'fail'],
      ['replay', 'fail'],
    ])
    expect(exitCode).toBe(EXIT.judgedFailed)
  })
})

describe('the logits of the worker are within the noise that the replay tolerates', { timeout: 300_000 }, () => {
  test.for(['portable', 'avx2'] as const)('haiku-nano, exact, %s', async (variant, { skip }) => {
    skip(variant === 'avx2' && !hasAvx2(), 'this processor has no AVX2')
    const args = ['--precision', 'exact', '--streams', '2', '--tokens', '200']
    const { stdout } = await runHarness(['logit-noise', ...args], { PLUMBLINE_CPU_VARIANT: variant })
    const { places, p99, largest } = JSON.parse(stdout)
    expect(places).toBe(400)
    // Not the largest: the tail is long, and the prompts are new each time.
    expect(p99).toBeLessThan(LOGIT_NOISE.exact / 10)
    // The same to the last bit would mean that nothing was compared.
    expect(largest).toBeGreaterThan(0)
  })
})

test('a file that is no model ends with exit 5 and the reason', async () => {
  const { exitCode, stderr } = await runHarness(['haiku', '--model', committedAsset('README.md')])
  expect(exitCode).toBe(EXIT.couldNotRun)
  expect(stderr).toContain('INVALID_GGUF')
})
