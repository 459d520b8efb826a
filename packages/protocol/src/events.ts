import { z } from 'zod'
import { ERRORS, type ErrorCode } from './errors.ts'

const logprob = z.number().max(0)
const topLogprob = z.strictObject({ token_id: z.int().min(0), logprob })
const errorCode = z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]])

/** The job has left the queue. */
export const startedEventSchema = z.strictObject({
  type: z.literal('started'),
  job_id: z.string(),
  model: z.string(),
  /** ISO 8601, UTC */
  started_at: z.iso.datetime(),
  /** The uint64 seed in force, as decimal digits. */
  seed: z.string().regex(/^\d{1,20}$/),
  prompt_tokens: z.int().min(1),
  /** What is left of the request's max_tokens once the context length has clamped it. */
  max_tokens: z.int().min(1),
  device: z.string(),
})

/** One sampled token (the end-of-sequence token has no event). */
export const tokenEventSchema = z.strictObject({
  type: z.literal('token'),
  /** 0, 1, 2, … */
  i: z.int().min(0),
  token_id: z.int().min(0),
  /** Whole UTF-8; may be "" while a character is incomplete or the text may be the beginning of a stop string. */
  t: z.string(),
  logprob: logprob.optional(),
  top: z.array(topLogprob).optional(),
})

export const STOP_REASONS = ['EOS', 'MAX_TOKENS', 'STOP_SEQUENCE'] as const

export const endEventSchema = z.strictObject({
  type: z.literal('end'),
  /** The number of token events. */
  tokens_out: z.int().min(0),
  /** What was withheld; incomplete bytes as U+FFFD. */
  t: z.string(),
  decode_time_ms: z.number().min(0),
  prefill_time_ms: z.number().min(0),
  stop_reason: z.enum(STOP_REASONS),
  stop_sequence_matched: z.string().optional(),
})

export const errorEventSchema = z.strictObject({
  type: z.literal('error'),
  code: errorCode,
  message: z.string(),
  retriable: z.boolean(),
})

/** What the `data:` of an event of POST /execute holds. */
export const streamEventSchema = z.discriminatedUnion('type', [
  startedEventSchema,
  tokenEventSchema,
  endEventSchema,
  errorEventSchema,
])

export type StartedEvent = z.output<typeof startedEventSchema>
export type TokenEvent = z.output<typeof tokenEventSchema>
export type EndEvent = z.output<typeof endEventSchema>
export type ErrorEvent = z.output<typeof errorEventSchema>
export type StreamEvent = z.output<typeof streamEventSchema>
export type StopReason = (typeof STOP_REASONS)[number]

/** Every admitted stream ends with exactly one of these. */
export function isTerminal(event: StreamEvent): event is EndEvent | ErrorEvent {
  return event.type === 'end' || event.type === 'error'
}
