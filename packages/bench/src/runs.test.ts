import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { benchReport } from '../test/bench-report.ts'
import type { BenchReport, Measurement } from './report.ts'
import { combineRuns, repeatRuns } from './runs.ts'
import { summarise } from './statistics.ts'

const decode = (value: number): Measurement => ({
  ...{ row: 'decode', model: 'tiny', threads: 2, unit: 'tokens/s' },
  plumbline: summarise([value - 1, value, value + 1]),
  llamaCpp: summarise([50]),
  ratio: summarise([value / 50]),
})

test('runs are combined into the median of their medians', () => {
  const combined = combineRuns([100, 150, 125].map((value) => benchReport([decode(value)])))
  expect(combined.runs).toBe(3)
  expect(combined.measurements).toEqual([
    {
      ...decode(0),
      plumbline: { median: 125, lower: 112.5, upper: 137.5, samples: 3 },
      llamaCpp: { median: 50, lower: 50, upper: 50, samples: 3 },
      ratio: { median: 2.5, lower: 2.25, upper: 2.75, samples: 3 },
    },
  ])
  expect(combined.limits[0]?.int8.instructions).toBe('VNNI')
  expect(combined.limits[0]?.readBandwidth.samples).toBe(3)
})

test('one noisy run makes the whole noisy', () => {
  const quiet = benchReport([decode(1)])
  const noisy = { ...quiet, noise: { ...quiet.noise, noisy: true, slowdown: 0.5 } }
  expect(combineRuns([noisy, quiet]).noise).toMatchObject({ noisy: true, slowdown: 0.5, lost: quiet.noise.lost })
})

test('runs are kept as they end, and those of the same commit can be resumed from', async () => {
  const out = mkdtempSync(join(tmpdir(), 'plumbline-bench-'))
  onTestFinished(() => rmSync(out, { recursive: true }))
  let made = 0
  const runOnce = async (): Promise<BenchReport> => benchReport([decode(++made)])
  const plan = { runs: 2, resume: false, commit: benchReport([]).commit, out, log: () => {} }
  await repeatRuns(runOnce, plan)
  expect(readdirSync(out)).toEqual(['bench-run-1.json', 'bench-run-2.json'])
  expect(made).toBe(2)
  const medians = (reports: readonly BenchReport[]) =>
    reports.map(({ measurements }) => measurements[0]?.plumbline.median)
  expect(medians(await repeatRuns(runOnce, { ...plan, runs: 3, resume: true }))).toEqual([1, 2, 3])
  expect(medians(await repeatRuns(runOnce, { ...plan, resume: true, commit: 'another' }))).toEqual([4, 5])
})
