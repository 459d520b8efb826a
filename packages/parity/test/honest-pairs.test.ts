import { expect, test } from 'vitest'
import { comparePairs } from './honest-pairs.ts'

// The same claim on more models and with the worker: honest-pairs.slow.test.ts and honest-pairs.nightly.test.ts.

test('no honest pair raises an alarm: the oracle in chunks and coarser arithmetic, Transformers', {
  timeout: 300_000,
}, async () => {
  const stories = await comparePairs('stories260K-f32', ['oracle'])
  const haiku = await comparePairs('haiku-nano-q8_0', ['oracle'])
  expect([...stories.alarms, ...haiku.alarms]).toEqual([])
  expect([stories.pairs.length, haiku.pairs.length]).toEqual([3 * (5 + 5), 5 + 2])
})
