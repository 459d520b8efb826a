import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ERRORS, type ErrorCode, PlumblineError } from '@plumbline/protocol/errors'
import { z } from 'zod'
import { programPath } from '../package-files.ts'

const errorSchema = z
  .object({
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    fields: z.record(z.string(), z.unknown()),
  })
  .transform(({ code, message, fields }) => new PlumblineError(code, message, fields))

const count = z.int().min(0)

/** What a GGUF holds; large integers as decimal digits. */
const inspectionSchema = z.object({
  version: count,
  fileBytes: count,
  architecture: z.string().optional(),
  name: z.string().optional(),
  quantKind: z.string(),
  parameters: count,
  /** Arrays by their element type and length. */
  metadata: z.record(
    z.string(),
    z.union([z.string(), z.number(), z.boolean(), z.null(), z.object({ array: z.string(), length: count })]),
  ),
  tensors: z.array(z.object({ name: z.string(), shape: z.array(count), type: z.string(), bytes: count })),
  /** Why the engine cannot run it. */
  problem: errorSchema.optional(),
})

export type Inspection = z.output<typeof inspectionSchema>

const resultSchema = z.union([z.object({ inspection: inspectionSchema }), z.object({ error: errorSchema })])

/** Metadata of the largest vocabularies is left out; what comes is a list of tensors and short values. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/**
 * Looks at a GGUF in a process of its own, as everything native is looked at.
 *
 * @throws PlumblineError what the reader says about a file that is no GGUF; ENGINE_CRASHED when it ended without a word
 */
export async function inspectModel(path: string): Promise<Inspection> {
  const script = programPath('engine-host/inspect-process')
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, script, path], {
    maxBuffer: MAX_OUTPUT_BYTES,
  }).catch((error: Error & { signal?: string }) => {
    const how = error.signal ? `was ended by ${error.signal}` : `failed: ${error.message}`
    throw new PlumblineError('ENGINE_CRASHED', `the process that inspects ${path} ${how}`, { path }, error)
  })
  const result = resultSchema.parse(JSON.parse(stdout))
  if ('error' in result) throw result.error
  return result.inspection
}
