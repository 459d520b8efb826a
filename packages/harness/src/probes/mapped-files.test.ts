import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isModelFile, mappedFiles, parseMappedFiles } from './mapped-files.ts'

test('parts of one file are added up; anonymous memory is no file', () => {
  const smaps = [
    '7f5c48a00000-7f5c48ca4000 r--s 00000000 fe:00 5317532                    /models/a b.gguf',
    'Size:               2704 kB',
    'Rss:                2000 kB',
    '7f5c48ca4000-7f5c48cb4000 r--s 00001000 fe:00 5317532                    /models/a b.gguf',
    'Rss:                  48 kB',
    '7f5c50000000-7f5c50100000 rw-p 00000000 00:00 0                          [heap]',
    'Rss:                1024 kB',
    '7f5c60000000-7f5c60100000 r--s 00000000 fe:00 99                         /models/b.gguf (deleted)',
    'Rss:                   4 kB',
  ].join('\n')
  expect(parseMappedFiles(smaps)).toEqual([
    { path: '/models/a b.gguf', device: 'fe:00', inode: '5317532', residentBytes: 2048 * 1024 },
    { path: '/models/b.gguf (deleted)', device: 'fe:00', inode: '99', residentBytes: 4096 },
  ])
})

test.skipIf(process.platform !== 'linux')('sees the program of this very process (Linux only)', async () => {
  const files = await mappedFiles(process.pid)
  expect(files?.map((file) => file.path)).toContain(process.execPath)
})

test('a model is known by its first bytes, or by its name when it is gone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-harness-'))
  try {
    const at = (name: string, text: string) => {
      writeFileSync(join(folder, name), text)
      return { path: join(folder, name), device: '', inode: '1', residentBytes: 0 }
    }
    expect(await isModelFile(at('weights.bin', 'GGUF\u0003'))).toBe(true)
    expect(await isModelFile(at('library.so', '\u007fELF'))).toBe(false)
    expect(await isModelFile({ ...at('x', ''), path: '/gone/other.gguf (deleted)' })).toBe(true)
    expect(await isModelFile({ ...at('x', ''), path: '/gone/node (deleted)' })).toBe(false)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
