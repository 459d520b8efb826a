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
  promptTokenIds: 131_072,
  logprobs: 20,
  /** Of a request body: 32,768 characters of prompt as JSON escapes of six bytes each, and room for the rest. */
  bodyBytes: 1_048_576,
  /** Of one answer: a small body can hold hundreds of thousands of mistakes. */
  fieldErrors: 32,
} as const

const MAX_INT32 = 2 ** 31 - 1

/** Text that has a UTF-8 form and that no C string cuts short. */
const text = (maximum: number) =>
  z
    .string()
    .min(1)
    .max(maximum)
    .refine((value) => value.isWellFormed(), 'must be well-formed Unicode (it holds a lone surrogate)')
    .refine((value) => !value.includes('\0'), 'must not hold a NUL character')

const isSeed = (value: unknown) =>
  typeof value === 'string'
    ? /^\d{1,20}$/.test(value) && BigInt(value) <= MAX_SEED
    : Number.isSafeInteger(value) && (value as number) >= 0

// Neither `abort` nor a transform (parseExecuteRequest makes the bigint): both would keep the rules of the whole object from running.
const seed = z.custom<string | number>(isSeed, {
  error: 'must be an unsigned 64-bit integer, as a string or as a safe integer',
  abort: false,
})

/** Looked through once, and as a whole: an issue for each of 100,000 elements would be an answer of megabytes. */
const tokenIds = (maximum: number) =>
  z.custom<number[]>().superRefine((ids, context) => {
    if (!Array.isArray(ids)) {
      context.addIssue({ code: 'custom', message: 'must be an array' })
      return
    }
    const wrong = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id <= maximum))
    if (ids.length < 1 || ids.length > LIMITS.promptTokenIds) {
      context.addIssue({ code: 'custom', message: `must hold 1 to ${LIMITS.promptTokenIds} elements` })
    } else if (wrong !== -1) {
      const message = `must hold token ids from 0 to ${maximum}, but the element at index ${wrong} is none`
      context.addIssue({ code: 'custom', message })
    }
  })

/** In code points, as zod counts the characters of a string. */
function characters(value: string): number {
  let count = 0
  for (const _ of value) count++
  return count
}

const messageSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant'], 'must be system, user or assistant'),
  content: text(LIMITS.promptCharacters),
})

const schemaFor = (maximumTokenId: number) =>
  z
    .strictObject({
      job_id: text(LIMITS.jobIdCharacters),
      prompt: text(LIMITS.promptCharacters).optional(),
      messages: z
        .array(messageSchema)
        .min(1)
        .max(LIMITS.messages)
        .refine(
          (messages) =>
            messages.reduce((sum, message) => sum + characters(message.content), 0) <= LIMITS.promptCharacters,
          `must hold at most ${LIMITS.promptCharacters} characters together`,
        )
        .optional(),
      /** Evaluated as they are. */
      prompt_token_ids: tokenIds(maximumTokenId).optional(),
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

/** The body of POST /execute (DESIGN.md 3.2), whatever the model. */
export const executeRequestSchema = schemaFor(MAX_INT32)
/** A worker has one vocabulary, so the schema for the last one is the one that is asked for again. */
let ofModel = { maximumTokenId: MAX_INT32, schema: executeRequestSchema }

export type ExecuteRequest = Omit<z.output<typeof executeRequestSchema>, 'seed'> & { seed?: bigint }
/** What a client sends. */
export type ExecuteRequestBody = z.input<typeof executeRequestSchema>
export type ChatMessage = z.output<typeof messageSchema>

/**
 * zod's issues as field errors, the first ones of very many. Messages name constraints, never values: a prompt must not come back
 * in an error.
 */
function fieldErrors(issues: readonly z.core.$ZodIssue[]): FieldError[] {
  const errors = issues.flatMap((issue): FieldError[] => {
    const path = issue.path.map(String)
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.slice(0, LIMITS.fieldErrors + 1).map((key) => ({
        field: [...path, key.slice(0, 64)].join('.'),
        constraint: 'known_field',
        message: 'is not a field of this request',
      }))
    }
    return [{ field: path.join('.') || 'body', ...explain(issue) }]
  })
  if (errors.length <= LIMITS.fieldErrors) return errors
  const more = { field: 'body', constraint: 'error_count', message: `has more errors than these ${LIMITS.fieldErrors}` }
  return [...errors.slice(0, LIMITS.fieldErrors), more]
}

/** zod's own wording is for programmers: ours says what the value must be. */
function explain(issue: z.core.$ZodIssue): { constraint: string; message: string } {
  switch (issue.code) {
    case 'invalid_type':
      return {
        constraint: `type ${issue.expected}`,
        message: issue.message.endsWith('undefined') ? 'is required' : `must be of type ${issue.expected}`,
      }
    case 'too_small':
      return {
        constraint: `minimum ${issue.minimum}`,
        message: bound(issue, issue.inclusive ? 'at least' : 'more than', issue.minimum),
      }
    case 'too_big':
      return {
        constraint: `maximum ${issue.maximum}`,
        message: bound(issue, issue.inclusive ? 'at most' : 'less than', issue.maximum),
      }
    default:
      return { constraint: issue.code, message: issue.message }
  }
}

function bound({ origin }: { origin: string }, comparison: string, limit: number | bigint): string {
  if (origin === 'string') return `must hold ${comparison} ${limit} characters`
  if (origin === 'array') return `must hold ${comparison} ${limit} elements`
  return `must be ${comparison} ${limit}`
}

/**
 * Parses a request body, or throws an InvalidRequestError that lists everything that is wrong with it.
 *
 * @param maximumTokenId the last one of the model's vocabulary, where it is known
 */
export function parseExecuteRequest(body: unknown, maximumTokenId: number = MAX_INT32): ExecuteRequest {
  if (ofModel.maximumTokenId !== maximumTokenId) ofModel = { maximumTokenId, schema: schemaFor(maximumTokenId) }
  const result = ofModel.schema.safeParse(body)
  if (!result.success) throw new InvalidRequestError(fieldErrors(result.error.issues))
  const { seed, ...request } = result.data
  return seed === undefined ? request : { ...request, seed: BigInt(seed) }
}

export const cancelRequestSchema = z.strictObject({ job_id: text(LIMITS.jobIdCharacters) })
export type CancelRequest = z.output<typeof cancelRequestSchema>

/** Parses the body of POST /cancel, or throws an InvalidRequestError. */
export function parseCancelRequest(body: unknown): CancelRequest {
  const result = cancelRequestSchema.safeParse(body)
  if (result.success) return result.data
  throw new InvalidRequestError(fieldErrors(result.error.issues))
}
