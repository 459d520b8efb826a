import { asset, committedAsset, describeWithAssets, skipReason } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { HonestPairs, haikuNano, type WorkerRun, workerMissing } from './helpers/honest-pairs.ts'

const RUNS: readonly WorkerRun[] = [
  { precision: 'fast', threads: 2, maxTokens: 16 },
  { precision: 'fast', threads: 1, maxTokens: 16 },
  { precision: 'exact', threads: 1, maxTokens: 16 },
  { precision: 'exact', threads: 2, maxTokens: 8 },
  { precision: 'fast', threads: 2, level: 'layers', maxTokens: 16 },
  { precision: 'exact', threads: 2, level: 'logits', maxTokens: 16 },
]
const missing = skipReason(workerMissing())

/** Against Transformers, the oracle and each other. */
const OF_SIX_RUNS = 6 + 6 + 15

test.skipIf(missing !== undefined)(
  `no honest pair of the committed models raises an alarm${missing === undefined ? '' : ` (skipped: ${missing})`}`,
  { timeout: 900_000 },
  async () => {
    const pairs = new HonestPairs()
    const stories = {
      model: committedAsset('stories260K/stories260K-f32.gguf'),
      transformers: committedAsset('stories260K/transformers'),
      llamaCpp: committedAsset('stories260K/llama.cpp.json'),
    }
    await pairs.addWorker(stories, RUNS)
    await pairs.addWorker(haikuNano, RUNS)
    console.log(pairs.tally, pairs.closest)
    expect(pairs.alarms).toEqual([])
    expect(pairs.count).toBe(3 * (OF_SIX_RUNS + 7) + OF_SIX_RUNS)
    pairs.close()
  },
)

describeWithAssets(describe, 'models from the assets', () => {
  test.skipIf(missing !== undefined)(
    `no honest pair raises an alarm${missing === undefined ? '' : ` (skipped: ${missing})`}`,
    { timeout: 1_800_000 },
    async () => {
      const pairs = new HonestPairs()
      for (const name of ['stories15M-q8_0', 'random-qwen2-q4_k_m', 'random-llama-q6_k']) {
        const subject = {
          model: asset(`models/${name}.gguf`),
          transformers: asset(`reference/transformers/${name}`),
          llamaCpp: asset(`reference/llama.cpp/${name}.json`),
        }
        await pairs.addWorker(subject, RUNS)
        if (name !== 'stories15M-q8_0') await pairs.addOracle(subject, 8, [1, 5])
      }
      console.log(pairs.tally, pairs.closest)
      expect(pairs.alarms).toEqual([])
      expect(pairs.count).toBe(9 * (OF_SIX_RUNS + 7) + 6 * (5 + 2))
      pairs.close()
    },
  )
})
