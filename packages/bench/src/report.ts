import type { NoiseVerdict } from './noise.ts'
import type { Summary } from './statistics.ts'

/** bench.json. */
export interface BenchReport {
  readonly schema: 1
  readonly command: string
  readonly date: string
  readonly commit: string
  /** llama.cpp's, where it was measured beside. */
  readonly llamaCppCommit?: string
  readonly machine: MachineDescription
  readonly precision: 'fast' | 'exact'
  /** What ran the kernels, e.g. "cpu:avx512"; absent where only servers were measured. */
  readonly backend?: string
  /** PLUMBLINE_CPU_VARIANT, where it was set: otherwise the machine's best variant ran. */
  readonly forcedCpuVariant?: string
  /** Of each run. */
  readonly rounds: number
  /** Whole runs that this combines: its summaries are of their medians, its noise is the worst of theirs. */
  readonly runs?: number
  readonly noise: NoiseVerdict & { readonly rule: string }
  readonly limits: readonly MeasuredLimits[]
  readonly models: readonly { readonly name: string; readonly fileBytes: number }[]
  readonly measurements: readonly Measurement[]
}

export interface MachineDescription {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
  /** Of those that matter here. */
  readonly instructionSets: readonly string[]
}

/** In bytes and operations a second. */
export interface MeasuredLimits {
  readonly threads: number
  readonly readBandwidth: Summary
  readonly int8: Summary & { readonly instructions: string }
  readonly float32: Summary & { readonly instructions: string }
}

export interface Measurement {
  readonly row: string
  readonly model: string
  readonly threads: number
  readonly unit: string
  readonly plumbline: Summary
  readonly llamaCpp?: Summary
  /** How many times better than llama.cpp, round by round. */
  readonly ratio?: Summary
  /** Of decode: the weights read a second, of the read bandwidth measured in the same round. Not for a model that caches hold. */
  readonly bandwidthShare?: Summary
  readonly llamaCppBandwidthShare?: Summary
}

/** kernels.json. */
export interface KernelsReport {
  readonly schema: 1
  readonly command: string
  readonly date: string
  readonly commit: string
  readonly machine: MachineDescription
  readonly precision: 'fast' | 'exact'
  readonly threads: number
  readonly rounds: number
  readonly noise: NoiseVerdict & { readonly rule: string }
  readonly limits: {
    readonly readBytesPerSecond: number
    readonly int8OperationsPerSecond: number
    readonly float32OperationsPerSecond: number
  }
  readonly kernels: readonly KernelMeasurement[]
}

export interface KernelMeasurement {
  readonly variant: string
  readonly op: string
  readonly type: string
  /** Positions computed at once. */
  readonly rows: number
  /** What it reads and writes at least. */
  readonly bytes: number
  readonly operations: number
  /** Of one call. */
  readonly seconds: Summary
  readonly bandwidthShare: number
  /** Of the int8 peak for quantised weights in `fast`, of the float32 peak for all else. */
  readonly peakShare: number
}

/** parity.json. */
export interface ParityReport {
  readonly schema: 1
  readonly command: string
  readonly date: string
  readonly commit: string
  readonly machine: MachineDescription
  readonly rounds: number
  readonly noise: NoiseVerdict & { readonly rule: string }
  readonly rows: readonly ParityMeasurement[]
}

export interface ParityMeasurement {
  readonly what: string
  readonly target: number
  readonly unit: string
  readonly better: 'higher' | 'lower'
  readonly measured: Summary
  /** How many times as good as the target. */
  readonly ratio: number
}
