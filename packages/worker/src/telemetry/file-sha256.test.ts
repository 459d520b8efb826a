import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { fileSha256 } from './file-sha256.ts'

test('hashes a file once, and again when it has changed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-sha256-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'))
  onTestFinished(() => void vi.unstubAllEnvs())
  const path = join(folder, 'model')
  const remembered = () => readdirSync(join(folder, 'cache', 'plumbline', 'sha256'))
  for (const [length, files] of [
    [0, 1],
    [1_000_000, 2],
  ] as const) {
    const bytes = Buffer.alloc(length, 'x')
    writeFileSync(path, bytes)
    const expected = createHash('sha256').update(bytes).digest('hex')
    expect(await fileSha256(path)).toBe(expected)
    expect(remembered().length).toBe(files)
  }
  // What is remembered is what is answered: the file is not read again.
  for (const name of remembered()) writeFileSync(join(folder, 'cache', 'plumbline', 'sha256', name), 'a'.repeat(64))
  expect(await fileSha256(path)).toBe('a'.repeat(64))
})

test('a folder that cannot be written to is no obstacle', async () => {
  vi.stubEnv('XDG_CACHE_HOME', '/dev/null')
  onTestFinished(() => void vi.unstubAllEnvs())
  expect(await fileSha256('/dev/null')).toBe(createHash('sha256').digest('hex'))
})
