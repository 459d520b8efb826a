import { describe, expect, test } from 'vitest'
import type { ModelConfig } from './config.ts'
import { rope, ropeFrequencies } from './rope.ts'

const base = { ropeTheta: 10_000, ropeDimensions: 4, ropeScalingFactor: 1, keyLength: 6 }
const config = (changes: Partial<ModelConfig>) => ({ ...base, ...changes }) as ModelConfig

describe('rope', () => {
  test('frequencies: theta^(-2i/d), linear scaling, one factor a pair', () => {
    expect([...ropeFrequencies(config({}))]).toEqual([1, 0.01])
    expect([...ropeFrequencies(config({ ropeScalingFactor: 4 }))]).toEqual([0.25, 0.0025])
    expect([...ropeFrequencies(config({}), Float32Array.from([1, 8]))]).toEqual([1, 0.00125])
  })

  // Complex multiplication by exp(i * position * frequency) is the definition; heads of 6 with 4 rotated dimensions.
  test.each([
    [
      'neighbours',
      [
        [0, 1],
        [2, 3],
      ],
    ],
    [
      'halves',
      [
        [0, 2],
        [1, 3],
      ],
    ],
  ] as const)('%s: pairs turn, the rest of the head and the norm stay', (ropePairing, pairs) => {
    const x = Float64Array.from({ length: 2 * 2 * 6 }, (_, i) => Math.sin(i + 1))
    const frequencies = ropeFrequencies(config({}))
    const y = rope(x, config({ ropePairing }), frequencies, 2, 7)
    for (let head = 0; head < 4; head++) {
      const position = 7 + Math.floor(head / 2)
      const at = (index: number) => head * 6 + index
      for (const [pair, [first, second]] of pairs.entries()) {
        const length = Math.hypot(x[at(first)]!, x[at(second)]!)
        const angle = Math.atan2(x[at(second)]!, x[at(first)]!) + position * frequencies[pair]!
        expect(y[at(first)]).toBeCloseTo(length * Math.cos(angle), 12)
        expect(y[at(second)]).toBeCloseTo(length * Math.sin(angle), 12)
      }
      expect(y[at(4)]).toBe(x[at(4)])
      expect(y[at(5)]).toBe(x[at(5)])
    }
  })
})
