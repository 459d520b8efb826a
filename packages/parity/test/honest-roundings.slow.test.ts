import { asset, describeWithAssets } from '@plumbline/protocol/testing'
import { loadModel, loadTokenizer, readGguf } from '@plumbline/reference'
import { describe, expect, test } from 'vitest'
import { roundingAlarms } from './honest-roundings.ts'
import { COMMITTED_SUBJECTS, SUBJECTS, type Subject } from './planted-mistakes.ts'

function raisesNone(subject: () => Subject): void {
  test('no honest rounding raises an alarm', { timeout: 600_000 }, () => {
    const { pairs, alarms, unshown } = roundingAlarms(subject())
    expect(pairs).toBeGreaterThanOrEqual(30)
    expect(alarms).toEqual([])
    expect(unshown).toEqual([])
  })
}

for (const name of Object.keys(SUBJECTS)) {
  if ((COMMITTED_SUBJECTS as readonly string[]).includes(name)) describe(name, () => raisesNone(SUBJECTS[name]!))
  else describeWithAssets(describe, name, () => raisesNone(SUBJECTS[name]!))
}

describeWithAssets(describe, 'stories15M-q8_0, of which one step a row makes more noise than was measured', () => {
  raisesNone(() => {
    const gguf = readGguf(asset('models/stories15M-q8_0.gguf'))
    const promptTokenIds = loadTokenizer(gguf).encode('Once upon a time there was a cat.')
    return { name: 'stories15M-q8_0', model: loadModel(gguf), promptTokenIds }
  })
})
