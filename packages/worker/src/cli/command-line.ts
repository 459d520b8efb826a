import type { ChildProcess } from 'node:child_process'
import { ERRORS, PlumblineError } from '@plumbline/protocol/errors'
import { EXIT } from '@plumbline/protocol/exit-codes'
import { Command, CommanderError } from 'commander'
import { describeConfiguration, resolveConfiguration } from '../config/configuration.ts'
import { OPTIONS } from '../config/options.ts'
import { endWithStdin } from '../end-with-stdin.ts'
import { spawnEngine } from '../engine-host/spawn-engine.ts'
import { VERSION } from '../version.ts'
import { addOptions, flagsOf } from './command-options.ts'
import { addModelCommands } from './model-commands.ts'
import { addTraceCommand } from './trace-command.ts'

const STDIN_HELP = `With PLUMBLINE_END_WITH_STDIN=1 and a pipe for stdin: ends when the other end is closed, as it is when whoever
holds it is killed.`

/**
 * Runs `plumbline-worker` with these arguments and returns its exit code.
 *
 * @param engine an engine process that has been spawned already, for the command that serves
 */
export async function runCommandLine(argv: readonly string[], engine?: ChildProcess): Promise<number> {
  endWithStdin()
  let exitCode: number = EXIT.ok
  const program = commandLine(engine, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok // --help, --version
      return complain(error.message.replace(/^error: /, '').replaceAll('\n', ' '), EXIT.usage)
    }
    const known = PlumblineError.from(error)
    const detail = known.code === 'INTERNAL' && error instanceof Error ? (error.stack ?? known.message) : known.message
    return complain(detail, ERRORS[known.code].exitCode)
  }
}

function complain(line: string, exitCode: number): number {
  process.stderr.write(`plumbline-worker: ${line}\n`)
  return exitCode
}

function commandLine(engine: ChildProcess | undefined, exitWith: (code: number) => void): Command {
  const program = new Command('plumbline-worker')
    .description('Serves one GGUF model over HTTP and server-sent events.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })

  const serve = program.command('serve', { isDefault: true }).description('serve a model (the default)')
  addOptions(serve, Object.values(OPTIONS))
  serve
    .option('--print-config', 'show what is in force and where it came from, and end')
    .action(async (options: Record<string, string | boolean>) => {
      const configuration = resolveConfiguration(flagsOf(options), process.env)
      if (options.printConfig) {
        const { describeDevice } = await import('../engine-host/describe-device.ts')
        const device = await describeDevice(configuration.values.device)
        process.stdout.write(`${describeConfiguration(configuration)}\n${device}`)
        return
      }
      const { findModelFile } = await import('./model-file.ts')
      const modelFile = await findModelFile(configuration.values.model)
      const { serve } = await import('../server/serve.ts')
      exitWith(await serve(configuration, modelFile, engine ?? spawnEngine()))
    })
  addTraceCommand(program, exitWith)
  addModelCommands(program, exitWith)
  program.addHelpText('after', () => `\n${serve.helpInformation()}\n${STDIN_HELP}`)
  return program
}
