import { ERRORS, type PlumblineError } from '@plumbline/protocol'
import { z } from 'zod'
import type { Fault } from '../recording/recording.ts'

/** A command, by the name that its documents have. `run` prints those of `compare`. */
type Documented = 'compare' | 'invariance' | 'inspect' | 'validate' | 'convert' | 'query' | 'noise-floor'

/** Where something was found in a file. */
export const placeShape = {
  file: z.string(),
  line: z.int().min(1).optional(),
  byte_offset: z.int().min(0).optional(),
}
export const faultSchema = z.strictObject({ kind: z.string(), message: z.string(), ...placeShape })

/** Why a command could not do its work, and where that is, if it is known. */
export const refusalSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  ...placeShape,
  file: placeShape.file.optional(),
})

/**
 * What `--json` prints, whatever the command: which document it is, its version, the exit code, then what is the command's own.
 * `version` grows when a field changes its meaning or goes; new fields leave it as it is. Names are in snake_case; a number that is
 * not finite is a string.
 */
export function documentSchema<Name extends Documented, Shape extends z.core.$ZodShape>(command: Name, shape: Shape) {
  return z.strictObject({ ...headShape(command), ...shape })
}

/** The same where nothing could be done. */
export function refusalDocumentSchema<Name extends Documented>(command: Name) {
  return documentSchema(command, { refusal: refusalSchema })
}

const headShape = <Name extends Documented>(command: Name) => ({
  schema: z.literal(`plumbline-parity/${command}`),
  version: z.literal(1),
  exit_code: z.int(),
})

export function documentHead<Name extends Documented>(command: Name, exit: number) {
  return { schema: `plumbline-parity/${command}`, version: 1, exit_code: exit } as const
}

export function refusalOf({ code, message, fields }: PlumblineError): z.output<typeof refusalSchema> {
  const { file, line, byteOffset } = fields as { file?: unknown; line?: unknown; byteOffset?: unknown }
  return {
    code,
    message,
    ...(typeof file === 'string' && { file }),
    ...(typeof line === 'number' && { line }),
    ...(typeof byteOffset === 'number' && { byte_offset: byteOffset }),
  }
}

export function refusalDocument(command: Documented, error: PlumblineError) {
  return { ...documentHead(command, ERRORS[error.code].exitCode), refusal: refusalOf(error) }
}

export function faultsJson(faults: readonly Fault[]): z.output<typeof faultSchema>[] {
  return faults.map((fault) => snakeCase(fault) as z.output<typeof faultSchema>)
}

export function writeJson(document: object): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
}

/** Keys of the object itself; what they hold stays as it is. */
export function snakeCase(object: object): Record<string, unknown> {
  const snake = (key: string) => key.replace(/[A-Z0-9]+/g, (run) => (/^\d/.test(run) ? run : `_${run.toLowerCase()}`))
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [snake(key), value]))
}
