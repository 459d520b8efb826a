import type { BenchReport, Measurement } from '../src/report.ts'
import { summarise } from '../src/statistics.ts'

const peak = (instructions: string) => ({ ...summarise([1e12]), instructions })

/** A report of made-up figures. */
export const benchReport = (measurements: readonly Measurement[], rest: Partial<BenchReport> = {}): BenchReport => ({
  schema: 1,
  command: 'pnpm bench --only decode',
  date: '2026-01-02T03:04:05Z',
  commit: 'abcdef012345',
  machine: {
    cpu: 'Some CPU',
    cores: 2,
    memoryBytes: 2 ** 34,
    kernel: '6.1',
    node: 'v24.9.0',
    instructionSets: ['avx2'],
  },
  precision: 'fast',
  rounds: 7,
  noise: { noisy: false, slowdown: 0.02, lost: 0.01, rule: 'THE RULE' },
  limits: [{ threads: 2, readBandwidth: summarise([2e10]), int8: peak('VNNI'), float32: peak('FMA') }],
  models: [],
  measurements,
  ...rest,
})
