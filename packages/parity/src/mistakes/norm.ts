import { rmsNorm } from '@plumbline/reference/ops'
import type { OpSite } from '../graph/op-site.ts'
import type { Mistake } from './mistake.ts'
import { roundings } from './roundings.ts'

const ops = ['attn_norm', 'ffn_norm', 'output_norm'] as const

/** Each row times its own scale times the weight. */
function scaled(site: OpSite, scaleOf: (row: Float64Array) => number): Float64Array {
  const weight = site.normWeight()!
  const width = weight.length
  const y = site.input().slice()
  for (let at = 0; at < y.length; at += width) {
    const row = y.subarray(at, at + width)
    const scale = scaleOf(row)
    for (let i = 0; i < width; i++) row[i]! *= scale * weight[i]!
  }
  return y
}

const meanSquare = (row: Float64Array) => row.reduce((sum, x) => sum + x * x, 0) / row.length

/** With `weight` in the place of the norm's own. */
function weighted(site: OpSite, weight: Float32Array | undefined): Float64Array | undefined {
  return weight && rmsNorm(site.input(), weight, site.config.rmsEpsilon)
}

/** From the scale that turns the row, times the weight, into what was recorded: 1 / sqrt(mean square + epsilon). */
function estimateEpsilon(site: OpSite, recorded: Float64Array): readonly number[] {
  const weight = site.normWeight()!
  const x = site.input()
  let along = 0
  let squares = 0
  for (const [i, value] of x.entries()) {
    along += recorded[i]! * value * weight[i]!
    squares += (value * weight[i]!) ** 2
  }
  const epsilon = (squares / along) ** 2 - meanSquare(x)
  // What is larger is no epsilon, but another norm, or none.
  return epsilon > 0 && epsilon <= 1 ? roundings(epsilon) : []
}

/** Of root mean square layer normalisation. */
export const NORM_MISTAKES: readonly Mistake[] = [
  {
    name: 'norm-missing',
    description: 'is its input, not normalised at all',
    ops,
    compute: (site) => site.input().slice(),
  },
  {
    name: 'norm-weight-missing',
    description: 'leaves out the multiplication by the weight',
    ops,
    compute: (site) =>
      weighted(
        site,
        site.normWeight()!.map(() => 1),
      ),
  },
  {
    name: 'norm-plus-one',
    description: 'multiplies by 1 + weight, as Gemma does',
    ops,
    compute: (site) =>
      weighted(
        site,
        site.normWeight()!.map((w) => w + 1),
      ),
  },
  {
    name: 'norm-mean-subtracted',
    description: 'subtracts the mean and divides by the standard deviation (LayerNorm), not by the RMS',
    ops,
    compute: (site) => {
      const width = site.normWeight()!.length
      const centred = site.input().slice()
      for (let at = 0; at < centred.length; at += width) {
        const row = centred.subarray(at, at + width)
        const mean = row.reduce((sum, x) => sum + x, 0) / width
        for (let i = 0; i < width; i++) row[i]! -= mean
      }
      return rmsNorm(centred, site.normWeight()!, site.config.rmsEpsilon)
    },
  },
  {
    name: 'norm-mean-absolute',
    description: 'divides by the mean absolute value, not by the root of the mean square',
    ops,
    compute: (site) =>
      scaled(site, (row) => 1 / (row.reduce((sum, x) => sum + Math.abs(x), 0) / row.length + site.config.rmsEpsilon)),
  },
  {
    name: 'norm-sum-of-squares',
    description: 'divides by the root of the sum of squares, not of their mean',
    ops,
    compute: (site) => scaled(site, (row) => 1 / Math.sqrt(meanSquare(row) * row.length + site.config.rmsEpsilon)),
  },
  {
    name: 'norm-root-missing',
    description: 'divides by the mean square without taking its root',
    ops,
    compute: (site) => scaled(site, (row) => 1 / (meanSquare(row) + site.config.rmsEpsilon)),
  },
  {
    name: 'norm-epsilon-outside-root',
    description: 'adds epsilon to the root, not under it',
    ops,
    compute: (site) => scaled(site, (row) => 1 / (Math.sqrt(meanSquare(row)) + site.config.rmsEpsilon)),
  },
  {
    name: 'norm-epsilon',
    description: 'uses the epsilon',
    ops,
    parameters: (site) =>
      [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-12, 0].filter(
        (epsilon) => Math.abs(epsilon - site.config.rmsEpsilon) > 0.01 * site.config.rmsEpsilon,
      ),
    estimate: estimateEpsilon,
    isSetting: true,
    compute: (site, epsilon) => rmsNorm(site.input(), site.normWeight()!, epsilon),
  },
  {
    name: 'norm-weight-of-other-norm',
    description: "uses the weight of the layer's other norm",
    ops: ['attn_norm', 'ffn_norm'],
    compute: (site) => weighted(site, site.normWeight(site.op === 'attn_norm' ? 'ffn_norm' : 'attn_norm')),
  },
  {
    name: 'norm-weight-of-other-layer',
    description: 'uses the weight of another layer, off by',
    ops: ['attn_norm', 'ffn_norm'],
    parameters: (site) => (site.layer === 0 ? [1] : [-1, 1]),
    compute: (site, step) => weighted(site, site.normWeight(site.op, site.layer + step)),
  },
  {
    name: 'norm-of-stale-residual',
    description: 'normalises the residual stream as it was before attention',
    ops: ['ffn_norm'],
    compute: (site) => rmsNorm(site.rows(site.residual), site.normWeight()!, site.config.rmsEpsilon),
  },
]
