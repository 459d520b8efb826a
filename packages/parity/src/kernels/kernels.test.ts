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

const widths = fc.integer({ min: 1, max: MOST_VALUES / 8 }).map((fours) => 4 * fours)
const opMemory = kernelMemory(3 * 4 * MOST_VALUES + 8 * 4)
const opKernels = makeKernels(opMemory)
const [outOf, leftOf, rightOf, sumsOf] = [0, 1, 2, 3].map((row) => FREE_FROM + row * 4 * MOST_VALUES) as [
  number,
  number,
  number,
  number,
]
const sums = new Float64Array(opMemory.buffer, sumsOf, 4)
const triples = widths.chain((width) =>
  fc.tuple(
    ...[0, 1, 2].map(() =>
      fc.array(fc.float({ min: -60, max: 60, noNaN: true }), { minLength: width, maxLength: width }),
    ),
  ),
)
const sumOf = (terms: Iterable<number>) => [...terms].reduce((sum, term) => sum + term, 0)

it('sums the squares of how far ops are from their inputs, as near as SiLU in float32 is', () => {
  fc.assert(
    fc.property(triples, (given) => {
      const [out, left, right] = given.map((row) => Float32Array.from(row)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ]
      for (const [row, at] of [[out, outOf] as const, [left, leftOf] as const, [right, rightOf] as const]) {
        new Float32Array(opMemory.buffer, at, row.length).set(row)
      }
      const plain = Array.from(out, (is, i) => ({ is, a: left[i]!, b: right[i]! }))
      opKernels.sumError(outOf, leftOf, rightOf, out.length, sumsOf)
      expectClose(sums[0]!, sumOf(plain.map(({ is, a, b }) => (is - (a + b)) ** 2)), out.length)
      expectClose(sums[1]!, sumOf(plain.map(({ a, b }) => a * a + b * b)), out.length)

      opKernels.productError(outOf, leftOf, rightOf, out.length, sumsOf)
      const products = plain.map(({ is, a, b }) => ({ is, silu: a / (1 + Math.exp(-a)), up: b }))
      const size = sumOf(products.map(({ is, silu, up }) => (silu * up) ** 2 + is ** 2))
      const apart = Math.sqrt(sumOf(products.map(({ is, silu, up }) => (is - silu * up) ** 2)))
      // Each SiLU is off by less than 2e-5 of itself.
      expect(Math.abs(Math.sqrt(sums[0]!) - apart)).toBeLessThanOrEqual(2e-5 * Math.sqrt(size))
      expect(Math.abs(sums[1]! - size)).toBeLessThanOrEqual(5e-5 * size)
      const activated = sumOf(products.map(({ silu }) => silu ** 2))
      expect(Math.abs(sums[2]! - activated)).toBeLessThanOrEqual(5e-5 * activated + Number.MIN_VALUE)
      expectClose(sums[3]!, sumOf(products.map(({ up }) => up ** 2)), out.length)
    }),
    { numRuns: 300 },
  )
})
