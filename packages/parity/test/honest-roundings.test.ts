import { fileURLToPath } from 'node:url'
import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, readGguf } from '@plumbline/reference'
import { expect, test } from 'vitest'
import { compare } from '../src/comparison/compare.ts'
import { openRecording } from '../src/formats/open-recording.ts'
import { roundingAlarms } from './honest-roundings.ts'
import { SUBJECTS } from './planted-mistakes.ts'

// On more models: honest-roundings.slow.test.ts.

test('no honest rounding raises an alarm, and none is judged by less than its ops', { timeout: 120_000 }, () => {
  const { pairs, alarms, unshown } = roundingAlarms(SUBJECTS['stories260K-f32']!())
  expect(pairs).toBeGreaterThanOrEqual(30)
  expect(alarms).toEqual([])
  expect(unshown).toEqual([])
})

test('llama.cpp, op by op, gives what its own inputs should', async () => {
  const file = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
  const haiku = 'reference-logs/haiku-nano'
  const model = loadModel(readGguf(file('models/haiku-nano/haiku-nano-q8_0.gguf')))
  const candidate = await openRecording(file(`${haiku}/llama.cpp/prompt-0.safetensors`))
  const reference = await openRecording(file(`${haiku}/transformers/prompt-0.safetensors`))
  const { verdict } = compare(candidate, reference, { model })
  expect([verdict.outcome, verdict.exitCode]).toEqual(['not-shown', 3])
  expect(verdict.line).toMatch(
    /: every op gives what its own inputs should, with 8-bit inputs in blocks of 32 with steps in F16 and attention in F16, to NMSE \S+ \(6 of 87 with others before them that were not recorded\)/,
  )
  candidate.close()
  reference.close()
})

test('llama.cpp on weights that are not quantised rounds in attention alone', async () => {
  const model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  const path = fileURLToPath(
    new URL('../../../reference-logs/stories260K/llama.cpp/prompt-0.safetensors', import.meta.url),
  )
  const candidate = await openRecording(path)
  const reference = await openRecording(committedAsset('stories260K/transformers/prompt-0.safetensors'))
  const { verdict, profile } = compare(candidate, reference, { model })
  expect([verdict.exitCode, profile]).toEqual([0, 'float16'])
  expect(verdict.line).toContain('with unrounded inputs and attention in F16')
  candidate.close()
  reference.close()
})
