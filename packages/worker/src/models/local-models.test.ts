import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findModel, listModels } from './local-models.ts'

test('a link that leads nowhere, or a folder, is not a model', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-models-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'real.gguf'), 'GGUF')
  symlinkSync(join(folder, 'nowhere'), join(folder, 'broken.gguf'))
  mkdirSync(join(folder, 'folder.gguf'))

  expect(listModels([folder])).toEqual([{ name: 'real', path: join(folder, 'real.gguf'), bytes: 4 }])
  expect(findModel('real', [folder])).toBe(join(folder, 'real.gguf'))
  expect(findModel('broken', [folder])).toBeUndefined()
  expect(findModel('folder', [folder])).toBeUndefined()
  expect(listModels([join(folder, 'absent')])).toEqual([])
})
