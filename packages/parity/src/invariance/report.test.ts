import { EXIT } from '@plumbline/protocol'
import { expect, it } from 'vitest'
import { MemoryRun, memoryRecording } from '../recording/memory-recording.ts'
import { judgeCell } from './cell.ts'
import { invarianceText } from './report.ts'

it('calls a way that is not comparable by that name in the table too', () => {
  const run = (id: string, promptTokenIds: number[]) => {
    const made = new MemoryRun(id, { promptTokenIds })
    made.add('logits', { pos: 0 }, 8, Float32Array.of(0.1, 0.5, -0.3, 0.7, 0.2, -0.6, 0.4, -0.9))
    return memoryRecording([made])
  }
  const base = { precision: 'exact' as const, threads: 1, how: 'at once' }
  const cell = judgeCell({ ...base, how: 'served' }, run('served', [1]), run('base', [2]), {})
  expect(cell).toMatchObject({ outcome: 'not-comparable', exitCode: EXIT.notComparable })
  const report = { model: 'm', promptTokenIds: [1], maxTokens: 0, generated: 0, base, cells: [cell] }
  const row = invarianceText(report)
    .split('\n')
    .find((line) => line.startsWith('  served'))
  expect(row).toContain('NOT COMPARABLE')
  expect(invarianceText(report)).not.toContain('UNTRUSTED')
})
