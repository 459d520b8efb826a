export { scanNumbers, stoppedAt } from './numbers'
export { productError, sumError } from './op-errors'
export { sumRow } from './row-sums'
export { describeValues } from './value-statistics'
