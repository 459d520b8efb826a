import { ERRORS, PlumblineError } from '@plumbline/protocol/errors'
import { EXIT } from '@plumbline/protocol/exit-codes'
import { Command, CommanderError } from 'commander'
import { addOptions, flagsOf } from './cli/command-options.ts'
import { addModelCommands } from './cli/model-commands.ts'
import { addTraceCommand } from './cli/trace-command.ts'
import { describeConfiguration, resolveConfiguration } from './config/configuration.ts'
import { OPTIONS } from './config/options.ts'
import { endWithStdin } from './end-with-stdin.ts'
import { VERSION } from './version.ts'

const STDIN_HELP = `With PLUMBLINE_END_WITH_STDIN=1 and a pipe for stdin: ends when the other end is closed, as it is when whoever
holds it is killed.`

/** Runs `plumbline-worker` with these arguments and returns its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  endWithStdin()
  let exitCode: number = EXIT.ok
  const program = commandLine((code) => {
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

function commandLine(exitWith: (code: number) => void): Command {
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
        const { describeDevice } = await import('./engine-host/describe-device.ts')
        const device = await describeDevice(configuration.values.device)
        process.stdout.write(`${describeConfiguration(configuration)}\n${device}`)
        return
      }
      const { findModelFile } = await import('./cli/model-file.ts')
      const modelFile = await findModelFile(configuration.values.model)
      // It starts while this process loads all that it serves with. Should that not come to anything, it ends with this process.
      const { spawnEngine } = await import('./engine-host/spawn-engine.ts')
      const engine = spawnEngine()
      const { serve } = await import('./server/serve.ts')
      exitWith(await serve(configuration, modelFile, engine))
    })
  addTraceCommand(program, exitWith)
  addModelCommands(program, exitWith)
  program.addHelpText('after', () => `\n${serve.helpInformation()}\n${STDIN_HELP}`)
  return program
}
