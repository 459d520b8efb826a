import { afterAll, beforeAll, expect, test } from 'vitest'
import { Engine } from '../src/index.ts'
import { generate } from './generate.ts'
import { errorsOf, readPrompts } from './transformers-reference.ts'

/**
 * The references are float64. What Transformers itself reaches in float32 is 1e-13 on the trained models and up to 2e-11 on the random
 * ones, which amplify every rounding.
 */
export const BOUND = 1e-10
/** Below this gap between the two likeliest tokens a recorded choice would say nothing. No recording has one so small. */
const SMALLEST_GAP = 1e-4

/** Registers the tests of one model: every recorded checkpoint, and the greedy continuations. */
export function holdAgainstTransformers(modelPath: () => string, folder: () => string, checkpoints: number): void {
  let engine: Engine
  beforeAll(async () => {
    engine = await Engine.load({ modelPath: modelPath(), device: 'cpu', precision: 'exact', threads: 2 })
  })
  afterAll(() => engine?.dispose())

  test.each([0, 1, 2])(`everything recorded of prompt %i, NMSE <= ${BOUND}`, (index) => {
    const errors = errorsOf(modelPath(), readPrompts(folder())[index]!)
    expect(errors.size).toBe(checkpoints)
    expect([...errors].filter(([, error]) => !(error <= BOUND))).toEqual([])
  })

  test.each([0, 1, 2])('the greedy continuation of prompt %i', async (index) => {
    const { ids, greedy, greedy_top1_top2_gap: gaps } = readPrompts(folder())[index]!
    expect(Math.min(...gaps)).toBeGreaterThan(SMALLEST_GAP)
    const { tokens } = await generate(engine, { promptTokenIds: Uint32Array.from(ids), maxTokens: greedy.length })
    expect(tokens.map(({ id }) => id)).toEqual(greedy)
  })
}
