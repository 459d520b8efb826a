import type { ReferenceModel } from '@plumbline/reference'
import { MemoryRun } from '../recording/memory-recording.ts'
import type { RecordedRun } from '../recording/recording.ts'

/** The reference's forward pass with every checkpoint rounded on its way: an honest run of a coarser arithmetic. */
export function roundedRun(
  model: ReferenceModel,
  promptTokenIds: readonly number[],
  round: (value: number) => number,
): RecordedRun {
  const run = new MemoryRun('rounded', { promptTokenIds })
  model.newSession().append(promptTokenIds, (name, _layer, { start }, width, values) => {
    for (let i = 0; i < values.length; i++) values[i] = round(values[i]!)
    run.add(name, { pos: start, phase: 'prefill' }, width, values.slice())
  })
  return run
}
