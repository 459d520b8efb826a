import { describeMachine } from './describe-machine.ts'
import { cell, number, table } from './markdown.ts'
import { type KernelTimes, type MachineLimits, measureKernels, measureMachine } from './native-programs.ts'
import { judgeNoise, NOISE_RULE } from './noise.ts'
import type { KernelMeasurement, KernelsReport } from './report.ts'
import { summarise } from './statistics.ts'

export interface KernelsPlan {
  readonly threads: number
  readonly precision: 'fast' | 'exact'
  readonly rounds: number
  readonly variant?: string
  readonly op?: string
}

/** Every op of the CPU backend by variant, between two looks at the machine. */
export async function runKernels(plan: KernelsPlan): Promise<Omit<KernelsReport, 'command' | 'date' | 'commit'>> {
  const { cores } = describeMachine()
  const before = await measureMachine(plan.threads, cores)
  const kernels = await measureKernels(plan)
  const looks = [before]
  // As many as a quartile needs.
  while (looks.length < 5) looks.push(await measureMachine(plan.threads, cores))
  const best = (value: (limits: MachineLimits) => number) => Math.max(...looks.map(value))
  const limits = {
    readBytesPerSecond: best((look) => look.read_bytes_per_second),
    int8OperationsPerSecond: best((look) => look.int8.operations_per_second),
    float32OperationsPerSecond: best((look) => look.float32.operations_per_second),
  }
  const calibrations = looks.map((look) => ({ seconds: look.calibration_seconds, lost: look.calibration_lost }))
  return {
    schema: 1,
    machine: describeMachine(),
    precision: plan.precision,
    threads: plan.threads,
    rounds: plan.rounds,
    noise: { ...judgeNoise(calibrations), rule: NOISE_RULE },
    limits,
    kernels: kernels.map((times) => beside(times, limits, plan.precision)),
  }
}

/** What the kernel reaches of the limit that it is nearest to: its own one, whatever the other is. */
export function beside(
  { seconds, ...kernel }: KernelTimes,
  limits: KernelsReport['limits'],
  precision: 'fast' | 'exact',
): KernelMeasurement {
  const time = summarise(seconds)
  const quantised = kernel.op === 'linear' && precision === 'fast' && kernel.type.startsWith('Q')
  const peak = quantised ? limits.int8OperationsPerSecond : limits.float32OperationsPerSecond
  return {
    ...kernel,
    seconds: time,
    bandwidthShare: kernel.bytes / time.median / limits.readBytesPerSecond,
    peakShare: kernel.operations / time.median / peak,
  }
}

/** kernels.md. */
export function renderKernels(report: KernelsReport): string {
  const { machine, limits, noise } = report
  const rows = report.kernels.map((kernel) => [
    kernel.op,
    kernel.type || '—',
    String(kernel.rows),
    kernel.variant,
    cell(kernel.seconds, 1e-6),
    number(kernel.bytes / kernel.seconds.median / 1e9),
    `${number(kernel.bandwidthShare * 100)} %`,
    number(kernel.operations / kernel.seconds.median / 1e9),
    `${number(kernel.peakShare * 100)} %`,
  ])
  return [
    '# What each kernel does, beside what the machine can do',
    '',
    `\`${report.command}\`, ${report.date}, commit ${report.commit}, \`--precision ${report.precision}\`, ${report.threads} threads, median of ${report.rounds} rounds (quartiles in brackets).`,
    `${machine.cpu}, ${machine.cores} cores; ${machine.instructionSets.join(' ')}.`,
    '',
    `Limits: ${number(limits.readBytesPerSecond / 1e9)} GB/s read from memory, ${number(limits.int8OperationsPerSecond / 1e9)} Gop/s int8, ${number(limits.float32OperationsPerSecond / 1e9)} Gop/s float32. What fits a cache may read more than memory gives.`,
    `Noise: ${noise.noisy ? '**the machine was too noisy to tell**' : 'quiet enough'}. The rule: ${noise.rule}.`,
    '',
    ...table(['op', 'type', 'rows', 'variant', 'µs a call', 'GB/s', 'of bandwidth', 'Gop/s', 'of peak'], rows),
    '',
  ].join('\n')
}
