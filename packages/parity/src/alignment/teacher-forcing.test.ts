import { expect, it } from 'vitest'
import { MemoryRun } from '../recording/memory-recording.ts'
import type { Checkpoint, RecordedRun } from '../recording/recording.ts'
import { forceTeacher } from './teacher-forcing.ts'

it('a reference of the ten largest logits that goes on with whole rows has their width, and no row is too long for it', () => {
  const candidate = new MemoryRun('candidate', { promptTokenIds: [1, 2], generatedTokenIds: [3, 4] })
  const other = new MemoryRun('other', { promptTokenIds: [1, 2, 3, 4] })
  const largest = new MemoryRun('largest', { promptTokenIds: [1, 2], generatedTokenIds: [5] })
  candidate.add('logits', { pos: 0 }, 8, new Float32Array(32))
  other.add('logits', { pos: 0 }, 8, new Float32Array(32))
  largest.add('logits', { pos: 0 }, 2, new Float32Array(4))
  const columns = { kind: 'columns', perRow: 2, columns: () => [6, 7] } as const
  const logits = largest.checkpoints.get('logits')!
  const known: Checkpoint = {
    ...logits,
    name: 'logits',
    width: 0,
    slabCount: 1,
    slab: () => ({ ...logits.slab(0), coverage: columns }),
  }
  const reference: RecordedRun = {
    id: 'largest',
    identity: largest.identity,
    checkpoints: new Map([['logits', known]]),
  }
  const forced = forceTeacher(candidate, reference, [other], undefined)!
  expect(forced).toMatchObject({ run: { id: 'other' }, until: 3 })
  expect(forced.reference.checkpoints.get('logits')!.width).toBe(8)
})
