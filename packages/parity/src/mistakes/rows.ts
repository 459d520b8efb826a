import { LAYER_CHECKPOINTS } from '@plumbline/protocol'
import { roundToHalf } from '../arithmetic/narrow-floats.ts'
import type { Op } from '../comparison/comparison.ts'
import type { OpSite } from '../graph/op-site.ts'
import type { Mistake } from './mistake.ts'

const everywhere: readonly Op[] = ['output', ...LAYER_CHECKPOINTS.slice(0, -1), 'token_embd', 'output_norm', 'logits']
const inLayers: readonly Op[] = ['output', ...LAYER_CHECKPOINTS.slice(0, -1)]

/** What the op should have given at the row before each. */
function ofRowBefore(site: OpSite): Float64Array {
  if (site.first > 0) return site.elsewhere({ first: site.first - 1 }).right()
  const right = site.right()
  right.copyWithin(right.length / site.count, 0)
  return right
}

/** To the 8 bits of bfloat16 (Veltkamp's splitting). */
function roundToBfloat16(value: number): number {
  const product = value * (2 ** 45 + 1)
  return product - (product - value)
}

/** Of buffers and rows: they can befall any op. */
export const ROW_MISTAKES: readonly Mistake[] = [
  {
    name: 'never-written',
    description: 'is zero throughout, as a buffer that was never written',
    ops: everywhere,
    compute: (site) => site.right().fill(0),
  },
  {
    name: 'buffer-aliased',
    description: 'holds what the same op gave in another layer, as a buffer used for both; off by',
    ops: inLayers,
    parameters: (site) => (site.layer === 0 ? [1] : [-1, 1]),
    compute: (site, step) =>
      site.layer + step < site.config.layers ? site.rows(`blk.${site.layer + step}.${site.op}`).slice() : undefined,
  },
  {
    name: 'buffer-of-other-op',
    description: 'holds what another op of the layer gave, as a buffer used for both:',
    ops: inLayers,
    parameters: (site) => [...LAYER_CHECKPOINTS.keys()].filter((index) => LAYER_CHECKPOINTS[index] !== site.op),
    showParameter: (index) => LAYER_CHECKPOINTS[index]!,
    compute: (site, index) => {
      const rows = site.ofLayer(LAYER_CHECKPOINTS[index]!)
      return rows.length === site.right().length ? rows.slice() : undefined
    },
  },
  {
    name: 'rows-of-other-position',
    description: 'holds what belongs one position earlier',
    ops: everywhere,
    compute: ofRowBefore,
  },
  {
    name: 'first-row-repeated',
    description: 'holds the first row of its chunk in every row',
    ops: everywhere,
    compute: (site) => {
      if (site.chunk.count < 2) return undefined
      const row = site.elsewhere({ first: site.chunk.pos, count: 1 }).right()
      return Float64Array.from({ length: site.count * row.length }, (_, i) => row[i % row.length]!)
    },
  },
  {
    name: 'rows-of-other-request',
    description: 'holds what belongs to another request, number',
    ops: everywhere,
    parameters: (site) => [...site.source.others.keys()],
    compute: (site, index) => {
      const source = site.source.others[index]
      return source && site.elsewhere({ source }).right()
    },
  },
  {
    name: 'last-quarter-not-written',
    description: 'is zero in the last quarter of each row',
    ops: everywhere,
    compute: (site) => {
      const right = site.right()
      const width = right.length / site.count
      return right.map((x, i) => (i % width >= 0.75 * width ? 0 : x))
    },
  },
  {
    name: 'rounded-to-bfloat16',
    description: 'is rounded to bfloat16',
    ops: everywhere,
    compute: (site) => site.right().map(roundToBfloat16),
  },
  {
    name: 'rounded-to-float16',
    description: 'is rounded to float16',
    ops: everywhere,
    compute: (site) => site.right().map(roundToHalf),
  },
]
