import { asset, describeWithAssets, skipReason } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { HonestPairs, workerMissing } from './helpers/honest-pairs.ts'

const missing = skipReason(workerMissing())

describeWithAssets(describe, 'SmolLM2', () => {
  test.skipIf(missing !== undefined)(
    `no honest pair raises an alarm${missing === undefined ? '' : ` (skipped: ${missing})`}`,
    { timeout: 3_600_000 },
    async () => {
      const pairs = new HonestPairs()
      const name = 'smollm2-135m-instruct-q4_1'
      const subject = {
        model: asset(`models/${name}.gguf`),
        transformers: asset(`reference/transformers/${name}`),
        llamaCpp: asset(`reference/llama.cpp/${name}.json`),
      }
      await pairs.addWorker(subject, [
        { precision: 'fast', threads: 2, maxTokens: 16 },
        { precision: 'fast', threads: 1, maxTokens: 8 },
        { precision: 'exact', threads: 1, maxTokens: 8 },
        { precision: 'exact', threads: 2, level: 'layers', maxTokens: 16 },
      ])
      await pairs.addOracle(subject, 2, [3])
      console.log(pairs.tally, pairs.closest)
      expect(pairs.alarms).toEqual([])
      expect(pairs.count).toBe(3 * (4 + 4 + 4 + 6 + 1) + 3 * (5 + 1))
      pairs.close()
    },
  )
})
