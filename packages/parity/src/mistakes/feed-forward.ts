import { applyLinear, swiglu } from '@plumbline/reference/ops'
import type { OpSite } from '../graph/op-site.ts'
import type { Mistake } from './mistake.ts'

const ops = ['ffn_act'] as const

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

/** Another activation in the place of SiLU. */
function activated(site: OpSite, activation: (x: number) => number): Float64Array {
  const up = site.ofLayer('ffn_up')
  return site.ofLayer('ffn_gate').map((gate, i) => activation(gate) * up[i]!)
}

/**
 * The error function by its Taylor series (small x) or continued fraction of erfc (Abramowitz and Stegun 7.1.5 and 7.1.14), to 1e-15.
 */
export function erf(x: number): number {
  const z = Math.abs(x)
  if (z < 2.5) {
    let term = z
    let sum = z
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-z * z) / n
      sum += term / (2 * n + 1)
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI)
  }
  let fraction = 0
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction)
  return Math.sign(x) * (1 - Math.exp(-z * z) / (z + fraction) / Math.sqrt(Math.PI))
}

/** Of the gated feed-forward network. */
export const FEED_FORWARD_MISTAKES: readonly Mistake[] = [
  {
    name: 'gate-up-swapped',
    description: 'applies SiLU to up and multiplies by gate',
    ops,
    compute: (site) => swiglu(site.ofLayer('ffn_up'), site.ofLayer('ffn_gate')),
  },
  {
    name: 'gelu-for-silu',
    description: 'uses GELU (tanh) for SiLU',
    ops,
    compute: (site) =>
      activated(site, (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  },
  {
    name: 'gelu-erf-for-silu',
    description: 'uses GELU (erf) for SiLU',
    ops,
    compute: (site) => activated(site, (x) => 0.5 * x * (1 + erf(x / Math.SQRT2))),
  },
  {
    name: 'quick-gelu-for-silu',
    description: 'uses x sigmoid(1.702 x) for SiLU',
    ops,
    compute: (site) => activated(site, (x) => x * sigmoid(1.702 * x)),
  },
  {
    name: 'relu-for-silu',
    description: 'uses ReLU for SiLU',
    ops,
    compute: (site) => activated(site, (x) => Math.max(x, 0)),
  },
  {
    name: 'sigmoid-for-silu',
    description: 'uses the sigmoid alone for SiLU',
    ops,
    compute: (site) => activated(site, sigmoid),
  },
  {
    name: 'activation-missing',
    description: 'multiplies gate by up without SiLU',
    ops,
    compute: (site) => activated(site, (x) => x),
  },
  {
    name: 'up-missing',
    description: 'leaves out the multiplication by up',
    ops,
    compute: (site) => site.ofLayer('ffn_gate').map((x) => x * sigmoid(x)),
  },
  {
    name: 'gate-up-weights-swapped',
    description: 'uses the weight of up for gate, or of gate for up',
    ops: ['ffn_gate', 'ffn_up'],
    compute: (site) =>
      applyLinear(site.linear(site.op === 'ffn_gate' ? 'ffn_up' : 'ffn_gate')!, site.input(), site.count),
  },
]
