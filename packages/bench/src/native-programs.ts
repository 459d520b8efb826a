import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { run } from './run-program.ts'

// What packages/cuda-core/native/bench prints, on the command line alone.

const program = (name: string) =>
  fileURLToPath(new URL(`../../cuda-core/build/Release/native/bench/plumbline_bench_${name}`, import.meta.url))

const flags = (options: Readonly<Record<string, string | number>>) =>
  Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])

const peakSchema = z.strictObject({ operations_per_second: z.number(), instructions: z.string() })
const machineSchema = z.strictObject({
  threads: z.int(),
  calibration_seconds: z.number(),
  calibration_lost: z.number(),
  read_bytes_per_second: z.number(),
  int8: peakSchema,
  float32: peakSchema,
})
export type MachineLimits = z.output<typeof machineSchema>

/** The limits of `threads` threads, and how quiet all `cores` were just before. */
export async function measureMachine(threads: number, cores: number): Promise<MachineLimits> {
  return machineSchema.parse(JSON.parse(await run(program('machine'), flags({ threads, cores }))))
}

const timesSchema = z.strictObject({ tokens: z.int(), seconds: z.array(z.number()) })
const generationSchema = z.strictObject({
  backend: z.string(),
  load_seconds: z.number(),
  weight_bytes_per_token: z.int(),
  context_length: z.int(),
  prefill: z.array(timesSchema),
  decode: timesSchema.optional(),
})
export type Generation = z.output<typeof generationSchema>

export interface GenerationOptions {
  readonly model: string
  readonly threads: number
  readonly precision: 'fast' | 'exact'
  /** Lengths of prompts; those that the model's context has no room for are missing in the answer. */
  readonly prefill: readonly number[]
  readonly decode: number
  readonly repetitions: number
}

/** A load, prefills and a decode without HTTP, in a process of its own. */
export async function measureGeneration({ prefill, ...options }: GenerationOptions): Promise<Generation> {
  const args = flags({ ...options, prefill: prefill.join(',') })
  return generationSchema.parse(JSON.parse(await run(program('generation'), args)))
}

const kernelsSchema = z.strictObject({
  threads: z.int(),
  kernels: z.array(
    z.strictObject({
      variant: z.string(),
      op: z.string(),
      type: z.string(),
      rows: z.int(),
      bytes: z.number(),
      operations: z.number(),
      seconds: z.array(z.number()),
    }),
  ),
})
export type KernelTimes = z.output<typeof kernelsSchema>['kernels'][number]

export interface KernelOptions {
  readonly threads: number
  readonly precision: 'fast' | 'exact'
  readonly rounds: number
  readonly variant?: string
  readonly op?: string
}

export async function measureKernels(options: KernelOptions): Promise<readonly KernelTimes[]> {
  return kernelsSchema.parse(JSON.parse(await run(program('kernels'), flags({ ...options })))).kernels
}
