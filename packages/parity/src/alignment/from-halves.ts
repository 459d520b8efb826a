import type { ReferenceModel } from '@plumbline/reference'
import type { RecordedRun } from '../recording/recording.ts'
import { mapRuns } from './mappings.ts'

/** A run whose queries and keys are taken to be in halves, as GGUF has them. */
export function fromHalves({ id, identity, checkpoints }: RecordedRun, { config }: ReferenceModel): RecordedRun {
  const { keyLength: headLength, ropePairing, architecture } = config
  const gguf = { id, identity: { architecture, ropeOrder: 'gguf' as const }, checkpoints: new Map() }
  const halves = { id, identity: { ...identity, ropeOrder: 'halves' as const }, checkpoints }
  return mapRuns(halves, gguf, { headLength, ropePairing }).candidate.run
}
