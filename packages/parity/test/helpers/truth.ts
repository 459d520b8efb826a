import { committedAsset } from '@plumbline/protocol/testing'
import { loadModel, type ReferenceModel, readGguf } from '@plumbline/reference'
import { type CompareOptions, compare } from '../../src/comparison/compare.ts'
import type { Comparison } from '../../src/comparison/comparison.ts'
import { recordOracle } from '../../src/oracle/memory-oracle.ts'
import { memoryRecording } from '../../src/recording/memory-recording.ts'
import type { RecordedRun } from '../../src/recording/recording.ts'

export const PROMPT = [1, 403, 407, 261, 378]
export const GENERATED = 8

/** The oracle's own run of stories260K, to be altered and compared with. */
export function recordTruth(): { model: ReferenceModel; truth: RecordedRun } {
  const model = loadModel(readGguf(committedAsset('stories260K/stories260K-f32.gguf')))
  return { model, truth: recordOracle(model, PROMPT, { maxTokens: GENERATED }).run }
}

export function against(candidate: RecordedRun, reference: RecordedRun, options: CompareOptions = {}): Comparison {
  return compare(memoryRecording([candidate]), memoryRecording([reference]), options)
}
