import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compileKernels } from '../../scripts/compile-kernels.ts'
import { compareRow, SUM, SUMS } from '../metrics/row-metrics.ts'
import { FREE_FROM, kernelMemory, makeKernels } from './kernels.ts'
import { KERNELS_WASM } from './kernels-wasm.ts'

it('is what assembly/ compiles to', async () => {
  expect(KERNELS_WASM).toBe((await compileKernels()).toString('base64'))
}, 60_000)

const MOST_VALUES = 64
const memory = kernelMemory(2 * 4 * MOST_VALUES + 8 * SUMS)
const kernels = makeKernels(memory)
const [xAt, yAt] = [FREE_FROM, FREE_FROM + 4 * MOST_VALUES]
const outAt = yAt + 4 * MOST_VALUES
const found = new Float64Array(memory.buffer, outAt, SUMS)

const value = fc.oneof(
  fc.float(),
  fc.float({ min: -4, max: 4 }),
  fc.constantFrom(0, -0, 2 ** -149, -(2 ** -127), 2 ** -126),
)
const pairs = fc.array(fc.tuple(value, value), { minLength: 1, maxLength: MOST_VALUES })

/** Sums in another order: each of n additions rounds by 2^-53 of `size`, the sum of the terms' magnitudes, at most. */
function expectClose(sum: number, expected: number, count: number, size = expected): void {
  if (!Number.isFinite(expected)) expect(sum).toBe(expected)
  else expect(Math.abs(sum - expected)).toBeLessThanOrEqual(count * 2 ** -52 * size)
}

it('sums a row as the plain loop does, whatever its length and its values', () => {
  fc.assert(
    fc.property(pairs, (given) => {
      const x = Float32Array.from(given, ([a]) => a)
      const y = Float32Array.from(given, ([, b]) => b)
      const plain = new Float64Array(SUMS)
      compareRow(x, y, plain)
      new Float32Array(memory.buffer, xAt, x.length).set(x)
      new Float32Array(memory.buffer, yAt, y.length).set(y)
      kernels.sumRow(xAt, yAt, x.length, outAt)
      for (const exact of [SUM.maxDifference, SUM.ulp, SUM.candidateTiny, SUM.referenceTiny]) {
        expect(found[exact]).toBe(plain[exact])
      }
      const [xSquares, ySquares] = [plain[SUM.candidateSquares]!, plain[SUM.referenceSquares]!]
      for (const at of [SUM.sumDifference, SUM.squaredDifference, SUM.candidateSquares, SUM.referenceSquares]) {
        expectClose(found[at]!, plain[at]!, x.length)
      }
      expectClose(found[SUM.product]!, plain[SUM.product]!, x.length, Math.sqrt(xSquares) * Math.sqrt(ySquares))
    }),
    { numRuns: 500 },
  )
})
