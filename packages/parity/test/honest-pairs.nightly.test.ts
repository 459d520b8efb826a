import { describeWithAssets, skipReason } from '@plumbline/protocol/testing'
import { describe, expect, test } from 'vitest'
import { workerMissing } from './helpers/honest-pairs.ts'
import { comparePairs } from './honest-pairs.ts'
import { honestPairsMarkdown } from './honest-pairs-table.ts'

const missing = skipReason(workerMissing())

describeWithAssets(describe, 'SmolLM2', () => {
  test.skipIf(missing !== undefined)(
    `no honest pair raises an alarm${missing === undefined ? '' : ` (skipped: ${missing})`}`,
    { timeout: 3_600_000 },
    async () => {
      const { pairs, alarms } = await comparePairs('smollm2-135m-instruct-q4_1', ['worker', 'oracle'])
      console.log(honestPairsMarkdown(pairs))
      expect(alarms).toEqual([])
      expect(pairs).toHaveLength(3 * (4 + 4 + 4 + 6 + 1) + 3 * (5 + 1))
    },
  )
})
