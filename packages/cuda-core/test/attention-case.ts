import { attention, KvCache } from '@plumbline/reference/ops'
import { randomFloats } from './random.ts'

/** `heads` query heads read `kvHeads` heads of keys and values of these lengths. */
interface HeadShape {
  readonly heads: number
  readonly kvHeads: number
  readonly keyLength: number
  readonly valueLength: number
}

export const HEAD_SHAPES: readonly HeadShape[] = [
  { heads: 1, kvHeads: 1, keyLength: 1, valueLength: 1 },
  { heads: 8, kvHeads: 4, keyLength: 8, valueLength: 8 },
  { heads: 3, kvHeads: 1, keyLength: 33, valueLength: 17 },
  { heads: 6, kvHeads: 6, keyLength: 48, valueLength: 48 },
  { heads: 9, kvHeads: 3, keyLength: 64, valueLength: 64 },
  { heads: 2, kvHeads: 2, keyLength: 128, valueLength: 112 },
]

/** For `test.each`: a name, positions, and the shape. */
export const attentionCases = (shapes: readonly HeadShape[], positions: readonly number[]) =>
  shapes.flatMap((shape) => positions.map((count) => [Object.values(shape).join('/'), count, shape] as const))

/** Queries, keys and values of so many positions, and what the float64 attention of `reference` makes of them. */
export function attentionCase(shape: HeadShape, positions: number) {
  const keyWidth = shape.kvHeads * shape.keyLength
  const valueWidth = shape.kvHeads * shape.valueLength
  const keys = randomFloats(positions * keyWidth, 1).map((x) => 3 * x)
  const values = randomFloats(positions * valueWidth, 2)
  const queries = randomFloats(positions * shape.heads * shape.keyLength, 3).map((x) => 3 * x)
  const cache = new KvCache(keyWidth, valueWidth)
  cache.write(0, Float64Array.from(keys), Float64Array.from(values))
  const expected = attention(shape as Parameters<typeof attention>[0], Float64Array.from(queries), cache, 0)
  return { queries, keys, values, expected }
}
