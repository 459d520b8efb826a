import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ProcessMemory } from './process-memory.ts'

const MEBIBYTE = 2 ** 20

test('what is asked for after a quiet moment is what is held now, not what was held when somebody last asked', async () => {
  const memory = new ProcessMemory(() => process.pid)
  await memory.fresh()
  const before = memory.bytes
  expect(before).toBeGreaterThan(10 * MEBIBYTE)
  const held = Buffer.alloc(128 * MEBIBYTE, 1)
  await sleep(150)
  await memory.fresh()
  expect(memory.bytes - before).toBeGreaterThan(64 * MEBIBYTE)
  expect(held[0]).toBe(1)
})

test('a process that is not there holds nothing', async () => {
  const memory = new ProcessMemory(() => null)
  await memory.fresh()
  expect(memory.bytes).toBe(0)
})
