import { ERRORS, EXIT, type ExitCode, PlumblineError } from '@plumbline/protocol'
import type { Command } from 'commander'
import type { z } from 'zod'
import { checkValues } from '../formats/check-values.ts'
import { openRecording } from '../formats/open-recording.ts'
import { describePlace, withoutPlace } from '../formats/recording-file.ts'
import type { Fault, FormatName, Place } from '../recording/recording.ts'
import { documentHead, faultsJson, writeJson } from '../report/json-document.ts'
import type { validateJsonSchema } from '../report/recording-json.ts'
import type { CommandContext } from './context.ts'

interface Validation {
  readonly path: string
  readonly format?: FormatName
  readonly faults: readonly Fault[]
  /** What nothing in the recording guards, though its format could. */
  readonly unguarded?: readonly string[]
  readonly exitCode: ExitCode
}

/** `validate`: whether a recording is whole, and every value in it is what its records say. */
export function addValidateCommand(program: Command, context: CommandContext): void {
  program
    .command('validate')
    .description(
      'read a recording whole: exit 0 where it is sound, 4 with a list of what is wrong, 5 where it cannot be read',
    )
    .argument('<recording>', 'a file or a folder')
    .option('--json', 'as JSON', false)
    .action(async (path: string, { json }: { json: boolean }) => {
      const validation = await validate(path, context)
      context.progress.done()
      if (json) writeJson(jsonOf(validation))
      else process.stdout.write(textOf(validation))
      context.exitWith(validation.exitCode)
    })
}

async function validate(path: string, { progress }: CommandContext): Promise<Validation> {
  try {
    const recording = await openRecording(path)
    try {
      const found = checkValues(recording, (done, of) => progress.show('reading values', done, of))
      const faults = [...recording.faults, ...found]
      const { format, unguarded } = recording
      const exitCode = faults.length > 0 ? EXIT.untrusted : EXIT.ok
      return { path, format, faults, ...(unguarded && { unguarded }), exitCode }
    } finally {
      recording.close()
    }
  } catch (error) {
    if (!(error instanceof PlumblineError)) throw error
    const place = { file: path, ...(error.fields as Partial<Place>) }
    return {
      path,
      faults: [{ kind: 'malformed', message: withoutPlace(error.message, place), ...place }],
      exitCode: ERRORS[error.code].exitCode,
    }
  }
}

function jsonOf(validation: Validation): z.output<typeof validateJsonSchema> {
  const { path, format, faults, unguarded = [], exitCode } = validation
  return {
    ...documentHead('validate', exitCode),
    path,
    ...(format !== undefined && { format }),
    faults: faultsJson(faults),
    unguarded: [...unguarded],
  }
}

function textOf({ path, format, faults, unguarded = [] }: Validation): string {
  const lines = [
    ...faults.map((fault) => `  ${fault.kind}: ${describePlace(fault)}: ${fault.message}`),
    ...unguarded.map((what) => `  unguarded: ${what}`),
  ]
  if (faults.length === 0) return `${[`${path}: sound (${format})`, ...lines].join('\n')}\n`
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  return `${[`${path}: ${count}`, ...lines].join('\n')}\n`
}
