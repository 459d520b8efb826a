import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchReport, MeasuredLimits, Measurement } from './report.ts'
import { type Summary, summarise } from './statistics.ts'
import { writeJson } from './write-report.ts'

export interface RunsPlan {
  readonly runs: number
  /** Whether runs of this commit that are in the folder already count. */
  readonly resume: boolean
  readonly commit: string
  readonly out: string
  readonly log: (line: string) => void
}

/** As many whole runs as are asked for, each kept as bench-run-N.json as soon as it is done. */
export async function repeatRuns(runOnce: () => Promise<BenchReport>, plan: RunsPlan): Promise<BenchReport[]> {
  const reports: BenchReport[] = []
  for (let run = 1; run <= plan.runs; run++) {
    const path = join(plan.out, `bench-run-${run}.json`)
    const kept = plan.resume && existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as BenchReport) : undefined
    if (kept?.commit === plan.commit) {
      plan.log(`run ${run} of ${plan.runs}: kept from ${kept.date}`)
      reports.push(kept)
      continue
    }
    plan.log(`run ${run} of ${plan.runs}`)
    const report = await runOnce()
    writeJson(path, report)
    reports.push(report)
  }
  return reports
}

/** The last run's report with summaries of all runs' medians: how far whole runs lie apart says more than rounds of one do. */
export function combineRuns(reports: readonly BenchReport[]): BenchReport {
  const last = reports.at(-1)!
  const worst = (value: (report: BenchReport) => number) => Math.max(...reports.map(value))
  return {
    ...last,
    runs: reports.length,
    noise: {
      ...last.noise,
      noisy: reports.some(({ noise }) => noise.noisy),
      slowdown: worst(({ noise }) => noise.slowdown),
      lost: worst(({ noise }) => noise.lost),
    },
    limits: last.limits.map((limits) => combineLimits(limits, reports)),
    measurements: last.measurements.map((measurement) => combineMeasurement(measurement, reports)),
  }
}

const ofMedians = (summaries: readonly (Summary | undefined)[]): Summary =>
  summarise(summaries.flatMap((summary) => (summary === undefined ? [] : [summary.median])))

function combineLimits(limits: MeasuredLimits, reports: readonly BenchReport[]): MeasuredLimits {
  const same = reports.map((report) => report.limits.find(({ threads }) => threads === limits.threads))
  return {
    threads: limits.threads,
    readBandwidth: ofMedians(same.map((one) => one?.readBandwidth)),
    int8: { ...limits.int8, ...ofMedians(same.map((one) => one?.int8)) },
    float32: { ...limits.float32, ...ofMedians(same.map((one) => one?.float32)) },
  }
}

const FIGURES = ['plumbline', 'llamaCpp', 'ratio', 'bandwidthShare', 'llamaCppBandwidthShare'] as const

function combineMeasurement(measurement: Measurement, reports: readonly BenchReport[]): Measurement {
  const same = reports.map((report) =>
    report.measurements.find(
      ({ row, model, threads }) =>
        row === measurement.row && model === measurement.model && threads === measurement.threads,
    ),
  )
  const combined = FIGURES.filter((figure) => measurement[figure] !== undefined).map((figure) => [
    figure,
    ofMedians(same.map((one) => one?.[figure])),
  ])
  return { ...measurement, ...Object.fromEntries(combined) }
}
