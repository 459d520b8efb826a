import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

test('a run names what it skipped and why, a suite once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-skips-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    writeFileSync(
      join(folder, 'vitest.config.mjs'),
      `import { SkippedReporter } from ${JSON.stringify(join(root, 'scripts/skipped-reporter.ts'))}
       export default { test: { reporters: [new SkippedReporter()] } }`,
    )
    writeFileSync(
      join(folder, 'a.test.mjs'),
      `import { describe, test } from 'vitest'
       test('runs', () => {})
       describe.skip('all of it (skipped: no model)', () => {
         test('one', () => {})
         test('two', () => {})
       })
       test('one of it', ({ skip }) => skip('no compiler'))`,
    )
    const vitest = join(root, 'node_modules/vitest/vitest.mjs')
    const { stdout, stderr } = spawnSync(process.execPath, [vitest, 'run'], { cwd: folder, encoding: 'utf8' })
    expect((stdout + stderr).trim().split('\n')).toEqual([
      'Skipped:',
      '  a.test.mjs: all of it (skipped: no model)',
      '  a.test.mjs: one of it (skipped: no compiler)',
    ])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
