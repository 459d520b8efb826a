import { describeWithAssets, skipReason } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { workerMissing } from './helpers/honest-pairs.ts'
import { comparePairs, type SuiteName } from './honest-pairs.ts'
import { honestPairsMarkdown } from './honest-pairs-table.ts'

const missing = skipReason(workerMissing())

/** Six runs of the worker, against Transformers, the oracle and each other. */
const OF_SIX_RUNS = 6 + 6 + 15

function noAlarm(name: SuiteName, count: number): void {
  test.skipIf(missing !== undefined)(
    `no honest pair of ${name} raises an alarm${missing === undefined ? '' : ` (skipped: ${missing})`}`,
    { timeout: 1_800_000 },
    async () => {
      // The oracle's pairs of the committed models are in honest-pairs.test.ts.
      const { pairs, alarms } = await comparePairs(name, name.startsWith('random') ? ['worker', 'oracle'] : ['worker'])
      console.log(honestPairsMarkdown(pairs))
      expect(alarms).toEqual([])
      expect(pairs).toHaveLength(count)
      // A coarser profile would let through what this arithmetic does not do.
      const exact = pairs.filter(({ kind }) => /^worker(, exact, against (?!llama)| against itself, exact$)/.test(kind))
      expect(new Set(exact.map(({ profile }) => profile))).toEqual(new Set(['float32']))
    },
  )
}

noAlarm('stories260K-f32', 3 * (OF_SIX_RUNS + 7))
noAlarm('haiku-nano-q8_0', OF_SIX_RUNS)

describeWithAssets(describe, 'models from the assets', () => {
  noAlarm('stories15M-q8_0', 3 * (OF_SIX_RUNS + 7))
  noAlarm('random-qwen2-q4_k_m', 3 * (OF_SIX_RUNS + 7) + 3 * (5 + 2))
  noAlarm('random-llama-q6_k', 3 * (OF_SIX_RUNS + 7) + 3 * (5 + 2))
})
