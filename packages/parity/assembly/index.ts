export { scanNumbers, stoppedAt } from './numbers'
export { sizeRow, sumRow } from './row-sums'
