import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Callback } from '@plumbline/protocol'
import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { postCallback } from './callback.ts'

const waits = vi.hoisted((): number[] => [])
vi.mock('node:timers/promises', () => ({ setTimeout: async (milliseconds: number) => void waits.push(milliseconds) }))

test('the waits of a callback that nobody takes double from half a second to a minute, ten attempts in all', async () => {
  let attempts = 0
  const server = createServer((_request, response) => {
    attempts++
    response.writeHead(500).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ready`
  const body: Callback = {
    worker_id: '7f0c5f0e-33b4-4c43-9d2a-3f6f0ab5c1de',
    url,
    model: 'fake',
    device: 'cpu',
    memory_bytes: 1,
    vram_bytes: 0,
  }
  await postCallback(url, body, pino({ level: 'silent' }), new AbortController().signal)
  expect(attempts).toBe(10)
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
})
