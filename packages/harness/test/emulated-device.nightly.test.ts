import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { EXIT } from '@plumbline/protocol'
import { expect, test } from 'vitest'
import type { CheckResult } from '../src/checkers/check.ts'
import { runHarness } from './helpers/run-harness.ts'

// The stream probe asks for hundreds of tokens, and the emulator makes a few of them a second.
test('the worker is genuine on the CUDA kernels, in the emulator', { timeout: 3_600_000 }, async () => {
  const core = fileURLToPath(new URL('../../cuda-core/', import.meta.url))
  execFileSync(process.execPath, ['scripts/build-emulated.mjs'], { cwd: core, stdio: 'inherit' })
  const { exitCode, stdout, stderr } = await runHarness(
    ['haiku', '--json', '--device', 'emulator', '--attempts', '1', '--stream-timeout', '1800'],
    { PLUMBLINE_ADDON: join(core, 'build/emulated/plumbline_emulated.node') },
  )
  expect(stdout, stderr).not.toBe('')
  const { genuine, verdicts } = JSON.parse(stdout)
  expect((genuine as CheckResult[]).filter(({ verdict }) => verdict !== 'pass')).toEqual([])
  expect(verdicts.genuine).toBe('pass')
  // A single attempt need not make a haiku.
  expect([EXIT.ok, EXIT.judgedFailed]).toContain(exitCode)
})
