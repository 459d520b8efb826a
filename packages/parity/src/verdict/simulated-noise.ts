import { nmse, type ReferenceModel } from '@plumbline/reference'
import { type Arithmetic, GGML_ARITHMETIC, uniformArithmetic } from '../arithmetic/arithmetic.ts'
import { Q8_BLOCKS } from '../arithmetic/rounding.ts'
import { graphNode } from '../graph/graph.ts'
import { recordedRows } from '../graph/recorded-values.ts'
import { recordOracle } from '../oracle/memory-oracle.ts'
import type { RecordedRun } from '../recording/recording.ts'
import { type MeasuredErrors, NoiseFloors, type OfKind } from './noise-floors.ts'

/** Blocks of 32 in float32, and what ggml does. */
const USUAL_EIGHT_BITS: readonly Arithmetic[] = [uniformArithmetic(Q8_BLOCKS), GGML_ARITHMETIC]

/** What coarse arithmetic makes of one model on one prompt, by doing it. */
export function simulateNoise(
  model: ReferenceModel,
  tokenIds: readonly number[],
  arithmetics: readonly Arithmetic[] = USUAL_EIGHT_BITS,
): OfKind {
  const exact = recordOracle(model, tokenIds).run
  const floors = new NoiseFloors()
  for (const arithmetic of arithmetics) {
    const rounded = recordOracle(model, tokenIds, { arithmetic }).run
    floors.add('quantised-activations', errorsOf(rounded, exact, model), model.config.layers, undefined)
  }
  return floors.floors()['quantised-activations']!
}

function errorsOf(run: RecordedRun, exact: RecordedRun, { config }: ReferenceModel): MeasuredErrors[] {
  return Array.from(exact.checkpoints, ([name, { width }]) => {
    const { op, layer } = graphNode(name, config.layers)!
    const count = exact.identity.promptTokenIds!.length
    const rows = Array.from({ length: count }, (_, position) => {
      const truth = recordedRows(exact, name, position, 1)!
      const values = recordedRows(run, name, position, 1)!
      const difference = values.reduce((sum, value, i) => sum + Math.abs(value - truth[i]!), 0)
      return { nmse: nmse(values, truth), meanAbs: difference / width }
    })
    const metrics = {
      nmse: Float64Array.from(rows, (row) => row.nmse),
      mean_abs: Float64Array.from(rows, ({ meanAbs }) => meanAbs),
    }
    return { op, layer, width, compared: width, metrics }
  })
}
