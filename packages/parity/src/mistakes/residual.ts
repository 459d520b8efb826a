import type { OpSite } from '../graph/op-site.ts'
import type { Mistake } from './mistake.ts'

const ops = ['ffn_input', 'output'] as const

function added(site: OpSite, stream: string, times = 1): Float64Array {
  const branch = site.rows(site.node.inputs[1]!)
  return site.rows(stream).map((x, i) => x + times * branch[i]!)
}

/** Of the residual stream. */
export const RESIDUAL_MISTAKES: readonly Mistake[] = [
  {
    name: 'residual-missing',
    description: 'leaves out the residual stream: it is the branch alone',
    ops,
    compute: (site) => site.rows(site.node.inputs[1]!).slice(),
  },
  {
    name: 'branch-missing',
    description: 'leaves out the branch: it is the residual stream as it was',
    ops,
    compute: (site) => site.input().slice(),
  },
  {
    name: 'branch-added-twice',
    description: 'adds the branch twice',
    ops,
    compute: (site) => added(site, site.node.inputs[0]!, 2),
  },
  {
    name: 'branch-subtracted',
    description: 'subtracts the branch',
    ops,
    compute: (site) => added(site, site.node.inputs[0]!, -1),
  },
  {
    name: 'residual-stale',
    description: 'adds the branch to the residual stream as it was one addition earlier',
    ops: ['output', 'ffn_input'],
    compute: (site) => {
      if (site.op === 'output') return added(site, site.residual)
      return site.layer === 0 ? undefined : added(site, `blk.${site.layer - 1}.ffn_input`)
    },
  },
]
