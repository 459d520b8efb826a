import { z } from 'zod'
import { type FieldError, InvalidRequestError } from './errors.ts'
import { MAX_SEED } from './sampling.ts'
import { TRACE_LEVELS } from './trace.ts'

export const LIMITS = {
  jobIdCharacters: 128,
  promptCharacters: 32_768,
  maxTokens: 2_048,
  stopStrings: 4,
  stopCharacters: 256,
  messages: 1_024,
  promptTokenIds: 1_048_576,
  logprobs: 20,
  /** Of a request body: 32,768 characters of prompt as JSON escapes of six bytes each, and room for the rest. */
  bodyBytes: 1_048_576,
} as const

const MAX_INT32 = 2 ** 31 - 1

/** Text that has a UTF-8 form and that no C string cuts short. */
const text = (maximum: number) =>
  z
    .string()
    .min(1, `must hold at least 1 character`)
    .max(maximum, `must hold at most ${maximum} characters`)
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode (it holds a lone surrogate)')
    .refine((value) => !value.includes('\0'), 'must not hold a NUL character')

const seed = z
  .union(
    [
      z.int().min(0),
      z
        .string()
        .regex(/^\d{1,20}$/)
        .refine((digits) => BigInt(digits) <= MAX_SEED),
    ],
    'must be an unsigned 64-bit integer, as a string or as a safe integer',
  )
  .transform((value) => BigInt(value))

const messageSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant'], 'must be system, user or assistant'),
  content: text(LIMITS.promptCharacters),
})

/** The body of POST /execute (DESIGN.md 3.2). */
export const executeRequestSchema = z
  .strictObject({
    job_id: text(LIMITS.jobIdCharacters),
    prompt: text(LIMITS.promptCharacters).optional(),
    messages: z
      .array(messageSchema)
      .min(1)
      .max(LIMITS.messages)
      .refine(
        (messages) => messages.reduce((sum, message) => sum + message.content.length, 0) <= LIMITS.promptCharacters,
        `must hold at most ${LIMITS.promptCharacters} characters together`,
      )
      .optional(),
    /** Evaluated as they are; the worker checks them against its vocabulary. */
    prompt_token_ids: z.array(z.int().min(0).max(MAX_INT32)).min(1).max(LIMITS.promptTokenIds).optional(),
    max_tokens: z.int().min(1).max(LIMITS.maxTokens).default(256),
    temperature: z.number().min(0).max(2).default(0.7),
    top_k: z.int().min(0).max(MAX_INT32).default(0),
    top_p: z.number().min(0).max(1).default(1),
    min_p: z.number().min(0).max(1).default(0),
    repetition_penalty: z.number().gt(0).max(2).default(1),
    stop: z.array(text(LIMITS.stopCharacters)).max(LIMITS.stopStrings).default([]),
    seed: seed.optional(),
    logprobs: z.int().min(0).max(LIMITS.logprobs).default(0),
    ignore_eos: z.boolean().default(false),
    trace: z.enum(TRACE_LEVELS, `must be ${TRACE_LEVELS.join(', ')}`).default('off'),
  })
  .refine(
    (request) => {
      const given = [request.prompt, request.messages, request.prompt_token_ids].filter((part) => part !== undefined)
      return given.length === 1
    },
    {
      path: ['prompt'],
      message: 'give exactly one of prompt, messages and prompt_token_ids',
      when: ({ value }) => typeof value === 'object' && value !== null,
    },
  )

export type ExecuteRequest = z.output<typeof executeRequestSchema>
/** What a client sends. */
export type ExecuteRequestBody = z.input<typeof executeRequestSchema>
export type ChatMessage = z.output<typeof messageSchema>

/** zod's issues as field errors. Messages name constraints, never values: a prompt must not come back in an error. */
export function fieldErrors(issues: readonly z.core.$ZodIssue[]): FieldError[] {
  return issues.flatMap((issue): FieldError[] => {
    const field = issue.path.map(String).join('.') || 'body'
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: [...issue.path.map(String), key.slice(0, 64)].join('.'),
        constraint: 'known_field',
        message: 'is not a field of this request',
      }))
    }
    return [{ field, constraint: constraintOf(issue), message: issue.message }]
  })
}

function constraintOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      return `minimum ${issue.minimum}`
    case 'too_big':
      return `maximum ${issue.maximum}`
    case 'invalid_type':
      return `type ${issue.expected}`
    default:
      return issue.code
  }
}

/** Parses a request body, or throws an InvalidRequestError that lists everything that is wrong with it. */
export function parseExecuteRequest(body: unknown): ExecuteRequest {
  const result = executeRequestSchema.safeParse(body)
  if (result.success) return result.data
  throw new InvalidRequestError(fieldErrors(result.error.issues))
}

export const cancelRequestSchema = z.strictObject({ job_id: text(LIMITS.jobIdCharacters) })
export type CancelRequest = z.output<typeof cancelRequestSchema>

/** Parses the body of POST /cancel, or throws an InvalidRequestError. */
export function parseCancelRequest(body: unknown): CancelRequest {
  const result = cancelRequestSchema.safeParse(body)
  if (result.success) return result.data
  throw new InvalidRequestError(fieldErrors(result.error.issues))
}
