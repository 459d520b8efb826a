export { scanNumbers, stoppedAt } from './numbers'
export { sumRow } from './row-sums'
export { describeValues } from './value-statistics'
