import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { reportName } from './report-name.ts'

test('a checkout in a folder called worker does not overwrite the report of the worker', () => {
  const checkout = join(mkdtempSync(join(tmpdir(), 'plumbline-report-')), 'worker')
  onTestFinished(() => rmSync(dirname(checkout), { recursive: true }))
  mkdirSync(checkout)
  writeFileSync(join(checkout, 'package.json'), '{"name":"plumbline"}')
  expect(reportName(checkout, 'fast')).toBe('plumbline.fast.xml')
  expect(reportName('packages/worker', 'slow')).toBe('worker.slow.xml')
})

test('every package of the workspace has a report of its own', () => {
  const folders = ['package.json', ...globSync('{packages,models}/*/package.json')].map(dirname)
  expect(folders.length).toBeGreaterThan(7)
  expect(new Set(folders.map((folder) => reportName(folder, 'fast'))).size).toBe(folders.length)
})
