import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { STORIES_260K } from './helpers/models.ts'

// What the other tests run is src/. These run what `build` made of it.
const BIN = fileURLToPath(new URL('../bin/plumbline-worker.js', import.meta.url))
const plumblineWorker = (...args: string[]) => execa(process.execPath, [BIN, ...args], { reject: false })

test('the bundle generates with a real engine process', async () => {
  const out = mkdtempSync(join(tmpdir(), 'plumbline-bundle-'))
  onTestFinished(() => rmSync(out, { recursive: true }))
  const run = await plumblineWorker('trace', '--model', STORIES_260K, '--prompt', 'Once', '--out', join(out, 'trace'))
  expect(run).toMatchObject({ exitCode: 0, stderr: '' })
  expect(JSON.parse(run.stdout).token_ids.length).toBe(16)
})

test('what the core finds wrong with a model keeps its code on its way through two processes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-bundle-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const cut = join(folder, 'cut.gguf')
  writeFileSync(cut, readFileSync(STORIES_260K).subarray(0, 1_000))
  const serve = await plumblineWorker('--model', cut, '--port', '0')
  expect(serve.exitCode).toBe(5)
  expect(JSON.parse(serve.stdout.split('\n').at(-1)!)).toMatchObject({ event: 'failed', code: 'INVALID_GGUF' })
  const inspect = await plumblineWorker('inspect', cut)
  expect(inspect.exitCode).toBe(5)
  expect(inspect.stderr).toMatch(/^plumbline-worker: damaged GGUF file[^\n]*$/) // one line, no stack trace
})
