import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { countHeldUp } from './held-up.ts'

test('a loop that blocks the process for a while is counted, and waiting is not', async () => {
  const { result, heldUpMs } = await countHeldUp(async () => {
    await sleep(30)
    const until = performance.now() + 200
    while (performance.now() < until);
    return 'done'
  })
  expect(result).toBe('done')
  expect(heldUpMs).toBeGreaterThan(150)
})
