import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { ERRORS, EXIT, type ExitCode, PlumblineError } from '@plumbline/protocol'
import { Command, CommanderError } from 'commander'
import { addCompareCommand } from './commands/compare.ts'
import type { CommandContext } from './commands/context.ts'
import { addConvertCommand } from './commands/convert.ts'
import { addInspectCommand } from './commands/inspect.ts'
import { addInvarianceCommand } from './commands/invariance.ts'
import { addNoiseFloorCommand } from './commands/noise-floor.ts'
import { addOracleCommand } from './commands/oracle.ts'
import { addQueryCommand } from './commands/query.ts'
import { addReproCommand } from './commands/repro.ts'
import { addRunCommand } from './commands/run.ts'
import { addValidateCommand } from './commands/validate.ts'
import { Progress } from './progress.ts'

// What is made for one row is gone with the next; a young generation that grows is memory for nothing (256 MiB is the promise).
setFlagsFromString('--semi-space-growth-factor=1')
// Nor is an old generation of several times what is in use.
setFlagsFromString('--heap-growing-percent=25')

// Whoever reads the output may have read enough (EPIPE): what was found out still decides the exit code. Output that could not be
// written, on a full disk say, is no answer, whatever was found out. What cannot be told on stderr cannot be told.
let outputFailed = false
process.stderr.on('error', () => {})
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE' || outputFailed) return
  outputFailed = true
  process.exitCode = EXIT.couldNotRun
  process.stderr.write(`plumbline-parity: the output could not be written: ${message}\n`)
})

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
const progress = new Progress(process.stderr)
let exitCode: ExitCode = EXIT.ok
const context: CommandContext = {
  progress,
  exitWith: (code) => {
    exitCode = code
  },
}

const program = new Command('plumbline-parity')
  .description('says which op, in which layer, at which token, was the first to differ from a reference, and why')
  .version(version)
  .exitOverride()
  .showHelpAfterError('(--help shows what there is)')
addCompareCommand(program, context)
addRunCommand(program, context)
addInvarianceCommand(program, context)
addInspectCommand(program, context)
addValidateCommand(program, context)
addConvertCommand(program, context)
addQueryCommand(program, context)
addNoiseFloorCommand(program, context)
addOracleCommand(program, context)
addReproCommand(program, context)

try {
  await program.parseAsync()
} catch (error) {
  progress.done()
  exitCode = tell(error)
}
process.exitCode = outputFailed ? EXIT.couldNotRun : exitCode

function tell(error: unknown): ExitCode {
  // Commander has said what is wrong.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  const known = PlumblineError.from(error)
  // What the system says of a file needs no stack.
  if (error instanceof Error && 'syscall' in error) {
    process.stderr.write(`plumbline-parity: ${error.message}\n`)
    return EXIT.couldNotRun
  }
  const detail = known.code === 'INTERNAL' && error instanceof Error ? (error.stack ?? known.message) : known.message
  process.stderr.write(`plumbline-parity: ${detail}\n`)
  return ERRORS[known.code].exitCode
}
