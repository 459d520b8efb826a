import { z } from 'zod'

export const HEALTH_STATUSES = ['loading', 'healthy', 'stalled', 'crash_loop', 'shutting_down'] as const
export const ENGINE_STATES = ['starting', 'loading', 'ready', 'stalled', 'backing_off', 'stopped'] as const

/** The body of GET /health: 200 when `healthy`, 503 otherwise. What is not known before the model is loaded is null. */
export const healthSchema = z.strictObject({
  status: z.enum(HEALTH_STATUSES),
  /** Of loading, 0 to 1. */
  progress: z.number().min(0).max(1).optional(),
  model: z.string(),
  /** Hex; null until the background pass over the file has ended. */
  model_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  architecture: z.string().nullable(),
  quant_kind: z.string().nullable(),
  precision: z.enum(['fast', 'exact']),
  device: z.string(),
  /** What runs the kernels, for example `cpu:avx512`. */
  backend: z.string().nullable(),
  /** What the worker was built with, for a person: `cpu`, `cuda 13.0 (sm_80, sm_90a, compute_90)`. */
  built_backends: z.array(z.string()).readonly().nullable(),
  /** Whether the weights are in the memory that the device computes from. */
  resident: z.boolean(),
  memory_bytes_used: z.int().min(0),
  vram_bytes_used: z.int().min(0),
  tokenizer_kind: z.string().nullable(),
  vocab_size: z.int().min(1).nullable(),
  context_length: z.int().min(1).nullable(),
  uptime_seconds: z.number().min(0),
  front_pid: z.int().min(1),
  engine: z.strictObject({
    state: z.enum(ENGINE_STATES),
    pid: z.int().min(1).nullable(),
    restarts: z.int().min(0),
    /** Since a layer was last computed; null when no job has run. */
    last_progress_ms: z.number().min(0).nullable(),
  }),
  queue: z.strictObject({ active: z.int().min(0), waiting: z.int().min(0) }),
  version: z.string(),
  worker_id: z.string(),
})

export type Health = z.output<typeof healthSchema>
