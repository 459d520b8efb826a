import { committedAsset } from '@plumbline/protocol/testing'
import { expect, test } from 'vitest'
import { HonestPairs, haikuNano } from './helpers/honest-pairs.ts'

// The same claim on more models and with the worker: honest-pairs.slow.test.ts and honest-pairs.nightly.test.ts.

test('no honest pair raises an alarm: the oracle in chunks and coarser arithmetic, Transformers', {
  timeout: 300_000,
}, async () => {
  const pairs = new HonestPairs()
  const stories = {
    model: committedAsset('stories260K/stories260K-f32.gguf'),
    transformers: committedAsset('stories260K/transformers'),
  }
  await pairs.addOracle(stories, 12, [1, 2, 3, 4, 7])
  await pairs.addOracle(haikuNano, 8, [1, 5])
  expect(pairs.alarms).toEqual([])
  expect(pairs.count).toBe(3 * (5 + 5) + (5 + 2))
  pairs.close()
})
