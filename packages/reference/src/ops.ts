// The ops of the forward pass one by one, for tests that hold another implementation's ops against them.
export { attention } from './model/attention.ts'
export { KvCache } from './model/kv-cache.ts'
export { applyLinear } from './model/linear.ts'
export { rmsNorm } from './model/rms-norm.ts'
export { rope, ropeFrequencies } from './model/rope.ts'
export { swiglu } from './model/swiglu.ts'
export type { LayerWeights, Linear, Weights } from './model/weights.ts'
