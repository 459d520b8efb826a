import { rope } from '@plumbline/reference/ops'
import type { OpSite } from '../graph/op-site.ts'
import type { Mistake } from './mistake.ts'
import { estimateBase, estimateOffset, estimateScaling } from './rope-estimates.ts'

const ops = ['attn_q_rope', 'attn_k_rope'] as const

interface Changes {
  readonly pairing?: 'neighbours' | 'halves'
  readonly frequency?: (frequency: number, pair: number) => number
  /** Of a row, by its index from the site's first. */
  readonly position?: (row: number) => number
}

function rotated(site: OpSite, { pairing, frequency, position }: Changes): Float64Array {
  const config = { ...site.config, ...(pairing !== undefined && { ropePairing: pairing }) }
  const frequencies = frequency === undefined ? site.ropeFrequencies : site.ropeFrequencies.map(frequency)
  const x = site.input()
  if (position === undefined) return rope(x, config, frequencies, site.headCount, site.first)
  const width = x.length / site.count
  const y = new Float64Array(x.length)
  for (let row = 0; row < site.count; row++) {
    const at = row * width
    y.set(rope(x.subarray(at, at + width), config, frequencies, site.headCount, position(row)), at)
  }
  return y
}

/** theta^(-2i/d) of another theta. */
function otherBase(site: OpSite, base: number): Float64Array {
  const { ropeTheta, ropeDimensions } = site.config
  return rotated(site, {
    frequency: (frequency, pair) => frequency * (base / ropeTheta) ** ((-2 * pair) / ropeDimensions),
  })
}

/** Of rotary position embedding. */
export const ROPE_MISTAKES: readonly Mistake[] = [
  {
    name: 'rope-missing',
    description: 'is not rotated at all',
    ops,
    compute: (site) => site.input().slice(),
  },
  {
    name: 'rope-pairing',
    description:
      'rotates the wrong pairs: halves (i with i + d/2) for neighbours (2i with 2i + 1), or the other way round',
    ops,
    compute: (site) => rotated(site, { pairing: site.config.ropePairing === 'halves' ? 'neighbours' : 'halves' }),
  },
  {
    name: 'rope-offset',
    description: 'rotates by the position plus',
    ops,
    parameters: () => [1, -1, 2, -2],
    estimate: estimateOffset,
    isSetting: true,
    compute: (site, offset) => rotated(site, { position: (row) => site.first + row + offset }),
  },
  {
    name: 'rope-scaling',
    description: 'divides positions by',
    ops,
    parameters: (site) => [2, 4, 8, 0.5, 1 / site.config.ropeScalingFactor].filter((factor) => factor !== 1),
    estimate: estimateScaling,
    isSetting: true,
    compute: (site, factor) => rotated(site, { frequency: (frequency) => frequency / factor }),
  },
  {
    name: 'rope-direction',
    description: 'rotates the other way',
    ops,
    compute: (site) => rotated(site, { frequency: (frequency) => -frequency }),
  },
  {
    name: 'rope-exponent',
    description: 'uses frequencies theta^(-i/d), not theta^(-2i/d)',
    ops,
    compute: (site) =>
      rotated(site, {
        frequency: (frequency, pair) => frequency * site.config.ropeTheta ** (pair / site.config.ropeDimensions),
      }),
  },
  {
    name: 'rope-base',
    description: 'uses the base (rope_theta)',
    ops,
    parameters: (site) => [10_000, 500_000, 1_000_000, 100_000].filter((base) => base !== site.config.ropeTheta),
    estimate: estimateBase,
    isSetting: true,
    showParameter: (base, { config }) => `${base} in the place of ${config.ropeTheta}`,
    compute: otherBase,
  },
  {
    name: 'rope-half-the-dimensions',
    description: 'rotates only the first half of the pairs',
    ops,
    compute: (site) =>
      rotated(site, {
        frequency: (frequency, pair) => (pair < site.config.ropeDimensions / 4 ? frequency : 0),
      }),
  },
  {
    name: 'rope-first-head-only',
    description: 'rotates only the first head',
    ops,
    compute: (site) => {
      if (site.headCount < 2) return undefined
      const y = site.input().slice()
      const right = site.right()
      const { keyLength } = site.config
      for (let at = 0; at < y.length; at += site.headCount * keyLength) {
        y.set(right.subarray(at, at + keyLength), at)
      }
      return y
    },
  },
  {
    name: 'rope-position-of-chunk-start',
    description: 'rotates every row of a chunk by the position of its first',
    ops,
    compute: (site) => (site.chunk.count < 2 ? undefined : rotated(site, { position: () => site.chunk.pos })),
  },
  {
    name: 'rope-position-restarts',
    description: 'counts positions from the start of the chunk',
    ops,
    compute: (site) =>
      site.chunk.pos === 0 ? undefined : rotated(site, { position: (row) => site.first + row - site.chunk.pos }),
  },
  {
    name: 'rope-factors-ignored',
    description: "ignores the model's factors for each pair (rope_freqs)",
    ops,
    compute: (site) => {
      const factors = site.model.weights.ropeFactors
      return factors && rotated(site, { frequency: (frequency, pair) => frequency * factors[pair]! })
    },
  },
]
