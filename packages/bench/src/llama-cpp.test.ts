import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findLlamaCpp, readLlamaBench } from './llama-cpp.ts'

test('what llama-bench prints is read by the lengths of its tests', () => {
  const common = { build_commit: 'abc1234', model_filename: 'm.gguf', n_threads: 2, avg_ts: 0 }
  const printed = JSON.stringify([
    { ...common, n_prompt: 16, n_gen: 0, samples_ts: [100, 110] },
    { ...common, n_prompt: 128, n_gen: 0, samples_ts: [200, 210] },
    { ...common, n_prompt: 0, n_gen: 32, samples_ts: [50, 51] },
  ])
  expect(readLlamaBench(printed)).toEqual({
    commit: 'abc1234',
    prefill: new Map([
      [16, [100, 110]],
      [128, [200, 210]],
    ]),
    decode: [50, 51],
  })
})

test('anything else is refused, not taken for no tests', () => {
  expect(() => readLlamaBench('{"error":"no model"}')).toThrow()
  expect(() => readLlamaBench('[{"n_prompt":16}]')).toThrow()
})

test('the folder of its programs is found, or what it lacks is said', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  expect(findLlamaCpp('')).toBeUndefined()
  expect(() => findLlamaCpp(folder)).toThrow(/has no llama-bench and no llama-server: it must be/)
  writeFileSync(join(folder, 'llama-bench'), '')
  expect(() => findLlamaCpp(folder)).toThrow(/has no llama-server:/)
  writeFileSync(join(folder, 'llama-server'), '')
  expect(findLlamaCpp(folder)).toMatchObject({
    folder,
    environment: { LD_LIBRARY_PATH: expect.stringContaining(folder) },
  })
})
