import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { cpuShareAt, watchCpu } from './cpu-timeline.ts'

test('cpuShareAt is linear between samples, 0 before the first and 1 after the last', () => {
  const samples = [
    { ms: 10, cpuMs: 100 },
    { ms: 20, cpuMs: 140 },
    { ms: 40, cpuMs: 200 },
  ]
  expect([0, 10, 15, 20, 30, 40, 50].map((ms) => cpuShareAt(samples, ms))).toEqual([0, 0, 0.2, 0.4, 0.7, 1, 1])
})

test.skipIf(process.platform !== 'linux')('watchCpu sees when a process computes (Linux only)', async () => {
  const { result, samples } = await watchCpu(process.pid, async () => {
    const until = process.cpuUsage().user + 300_000
    while (process.cpuUsage().user < until);
    await sleep(100)
    return 'done'
  })
  expect(result).toBe('done')
  expect(samples.at(-1)!.cpuMs - samples[0]!.cpuMs).toBeGreaterThan(200)
  expect(samples.length).toBeGreaterThan(2)
})

test('watchCpu has nothing to say of no process', async () => {
  expect((await watchCpu(undefined, async () => 1)).samples).toEqual([])
})
