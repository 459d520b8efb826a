import { EXIT, type ExitCode } from '@plumbline/protocol'
import { Command, CommanderError } from 'commander'
import { type HaikuOptions, haikuCommand } from './commands/haiku.ts'
import { type HaikuRateOptions, haikuRateCommand } from './commands/haiku-rate.ts'
import { type LogitNoiseOptions, logitNoiseCommand } from './commands/logit-noise.ts'
import { describeFailure } from './diagnosis/describe-failure.ts'
import { addWorkerOptions, positive, positiveInteger } from './options.ts'
import { Progress } from './report/progress.ts'
import { renderDiagnosis } from './report/terminal.ts'

// A signal asks the run to end; the worker is reaped on the way out. A second one does not wait.
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(EXIT.couldNotRun)
    stop.abort()
  })
}

const progress = new Progress(process.stderr)
let exitCode: ExitCode = EXIT.ok
const run = <Options>(command: (options: Options, progress: Progress, signal: AbortSignal) => Promise<ExitCode>) => {
  return async (options: Options) => {
    exitCode = await command(options, progress, stop.signal)
  }
}

const program = new Command('plumbline-harness')
  .description('makes a worker prove itself')
  .exitOverride()
  .showHelpAfterError('(--help shows what there is)')

addWorkerOptions(program.command('haiku'))
  .description('asks for a haiku nobody could have known beforehand, and checks that the model wrote it')
  .option('--attempts <n>', 'fresh challenges until the answer is the haiku asked for', positiveInteger, 3)
  .option('--runs <n>', 'whole runs, on one worker', positiveInteger, 1)
  .option(
    '--replay-seconds <seconds>',
    'about how long the replay of the stream probe may take: the probe is as long as that allows',
    positive,
    20,
  )
  .option('--json', 'the verification as JSON on stdout', false)
  .action(run<HaikuOptions>(haikuCommand))

addWorkerOptions(program.command('haiku-rate'))
  .description('how often the model meets a fresh challenge at its first attempt; says nothing about genuineness')
  .option('--challenges <n>', 'how many', positiveInteger, 1000)
  .action(run<HaikuRateOptions>(haikuRateCommand))

addWorkerOptions(program.command('logit-noise'))
  .description("measures by how much the worker's logits differ from the reference's: what the replay tolerates")
  .option('--streams <n>', 'answers to compare', positiveInteger, 20)
  .option('--tokens <n>', 'tokens of each', positiveInteger, 256)
  .action(run<LogitNoiseOptions>(logitNoiseCommand))

try {
  await program.parseAsync()
} catch (error) {
  progress.done()
  exitCode = tell(error)
}
process.exitCode = exitCode

function tell(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  const { exitCode, diagnosis } = describeFailure(error)
  process.stderr.write(diagnosis.advice === '' ? `${diagnosis.cause}\n` : `\n${renderDiagnosis(diagnosis)}\n`)
  return exitCode
}
