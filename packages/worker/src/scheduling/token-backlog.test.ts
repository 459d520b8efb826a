import { readdirSync, readlinkSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SampledToken } from '../engine-host/token-batch.ts'
import { TokenBacklog } from './token-backlog.ts'

const token = (index: number, alternatives: number): SampledToken =>
  alternatives === 0
    ? { index, id: index }
    : {
        index,
        id: index,
        logprob: -1 / 3,
        top: Array.from({ length: alternatives }, (_, id) => ({ id, logprob: -Math.PI * (index + id) })),
      }

/** The files that this process has open and that have no name any more. */
const namelessFiles = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes('plumbline-backlog')
    } catch {
      return false // the descriptor of the listing itself
    }
  }).length

test('gives back what it was given, in order, however pushes and shifts alternate', () => {
  const step = fc.record({ push: fc.nat(300), shift: fc.nat(300), alternatives: fc.constantFrom(0, 1, 20) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const backlog = new TokenBacklog()
      const expected: SampledToken[] = []
      let index = 0
      for (const { push, shift, alternatives } of steps) {
        for (let n = 0; n < push; n++) {
          backlog.push(token(index, alternatives))
          expected.push(token(index++, alternatives))
        }
        for (let n = 0; n < shift; n++) expect(backlog.shift()).toEqual(expected.shift())
      }
      for (const left of expected) expect(backlog.shift()).toEqual(left)
      expect(backlog.shift()).toBeUndefined()
      backlog.clear()
    }),
  )
})

test.skipIf(process.platform !== 'linux')('holds little memory, and no file once it is cleared', () => {
  const before = process.memoryUsage().arrayBuffers
  const filesBefore = namelessFiles()
  const backlogs = Array.from({ length: 16 }, () => new TokenBacklog())
  for (const backlog of backlogs) for (let index = 0; index < 2_048; index++) backlog.push(token(index, 20))
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 64 * 1024)
  expect(namelessFiles() - filesBefore).toBe(16)
  for (const backlog of backlogs) {
    expect(backlog.shift()).toEqual(token(0, 20))
    backlog.clear()
    expect(backlog.shift()).toBeUndefined()
  }
  expect(namelessFiles()).toBe(filesBefore)
})
