import type { ReferenceModel } from '@plumbline/reference'
import { MemoryRun } from '../recording/memory-recording.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { type OracleOptions, type OracleResult, runOracle } from './oracle.ts'

/** The oracle's run in memory, rounded to float32 as in a trace. */
export function recordOracle(
  model: ReferenceModel,
  promptTokenIds: readonly number[],
  options: OracleOptions & { readonly id?: string } = {},
): { run: RecordedRun; result: OracleResult } {
  const generatedTokenIds: number[] = []
  const run = new MemoryRun(options.id ?? 'oracle', {
    engine: 'plumbline-reference',
    architecture: model.config.architecture,
    layers: model.config.layers,
    embeddingLength: model.config.embeddingLength,
    vocabSize: model.vocabSize,
    activations: options.activations ?? 'F64',
    promptTokenIds,
    generatedTokenIds,
  })
  const result = runOracle(model, promptTokenIds, options, ({ name, pos, phase, width, values }) =>
    run.add(name, { pos, phase }, width, Float32Array.from(values)),
  )
  generatedTokenIds.push(...result.generatedTokenIds)
  return { run, result }
}
