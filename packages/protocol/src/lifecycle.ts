import { z } from 'zod'
import { ERRORS, type ErrorCode } from './errors.ts'

/** The JSON lines that `plumbline-worker` prints on stdout: `listening` once bound, then `ready` or `failed`. */
export const lifecycleLineSchema = z.discriminatedUnion('event', [
  z.looseObject({ event: z.literal('listening'), url: z.url(), pid: z.int().min(1) }),
  z.looseObject({
    event: z.literal('ready'),
    url: z.url(),
    model: z.string(),
    device: z.string(),
    load_ms: z.number(),
  }),
  z.looseObject({
    event: z.literal('failed'),
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
  }),
])
export type LifecycleLine = z.output<typeof lifecycleLineSchema>

/** What `--callback-url` receives once the worker is ready. */
export const callbackSchema = z.strictObject({
  worker_id: z.uuid(),
  url: z.url(),
  model: z.string(),
  device: z.string(),
  memory_bytes: z.int().min(0),
  vram_bytes: z.int().min(0),
})
export type Callback = z.output<typeof callbackSchema>
