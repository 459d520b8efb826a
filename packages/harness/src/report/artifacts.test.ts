import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { EXIT } from '@plumbline/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { makeArtifactsFolder } from './artifacts.ts'

// Below /proc, Node's own recursive mkdir never comes back, and keeps a processor busy.
test.each(['/dev/null', ...(process.platform === 'linux' ? ['/proc/x', '/proc/x/y/z'] : [])])(
  'a folder that cannot be made is a usage error that names the option: %s',
  async (root) => {
    const error = { exitCode: EXIT.usage, message: expect.stringContaining(`--artifacts is ${root}`) }
    await expect(makeArtifactsFolder(root, 'haiku')).rejects.toMatchObject(error)
  },
)

test('a folder is made with all that leads to it, and beside what is there', async () => {
  const root = mkdtempSync(join(tmpdir(), 'plumbline-harness-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const folders = [
    await makeArtifactsFolder(join(root, 'a/b'), 'haiku'),
    await makeArtifactsFolder(join(root, 'a/b'), 'haiku'),
  ]
  expect(readdirSync(join(root, 'a/b/haiku')).sort()).toEqual(folders.map((folder) => basename(folder)).sort())
})
