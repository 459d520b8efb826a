import { execFile } from 'node:child_process'
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import { haikuNanoPath } from '@plumbline/haiku-nano'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { usageError } from './command-error.ts'
import type { AcquireOptions } from './worker-process/acquire-worker.ts'
import { defaultWorkerCommand, parseWorkerCommand } from './worker-process/worker-command.ts'

/** The options of every command that needs a worker. */
export interface WorkerOptions {
  readonly model: string
  readonly device: string
  readonly precision?: 'fast' | 'exact'
  readonly workerCommand?: string
  readonly url?: string
  readonly apiTokenFile?: string
  readonly artifacts: string
  readonly startTimeout: number
  readonly loadTimeout: number
  readonly streamTimeout: number
}

export function addWorkerOptions(command: Command): Command {
  return command
    .option('--model <path|name>', 'the GGUF file, or haiku-nano', 'haiku-nano')
    .option('--device <device>', 'auto, cpu or cuda:N', device, 'auto')
    .addOption(
      // The stricter question: what 8-bit activations make of logits hides small changes of model or sampling (ADR 24).
      new Option(
        '--precision <precision>',
        "the worker's arithmetic; draws of exact can be held to the reference more tightly",
      )
        .choices(['fast', 'exact'])
        .default('exact'),
    )
    .option('--worker-command <line>', "a command that starts a worker (default: Plumbline's own)")
    .addOption(new Option('--url <url>', 'a worker that runs already').conflicts('workerCommand').argParser(httpUrl))
    .option('--api-token-file <path>', 'the token that the worker asks for')
    .option('--artifacts <folder>', 'where evidence goes', 'artifacts')
    .option('--start-timeout <seconds>', 'for the ready line', positive, 30)
    .option('--load-timeout <seconds>', 'for a healthy worker', positive, 300)
    .option('--stream-timeout <seconds>', 'for a whole answer', positive, 300)
}

/** The path of the model's file, without links. A name that is no file is one of the worker's: it knows what `pull` has fetched. */
export async function modelPath(model: string): Promise<string> {
  if (model === 'haiku-nano') return haikuNanoPath
  const file = statSync(model, { throwIfNoEntry: false })
  if (file?.isFile()) return realpathSync(model)
  if (file !== undefined) {
    const what = file.isDirectory() ? 'a folder' : 'no regular file'
    throw usageError(`--model is ${model}, ${what}: it must be a GGUF file, or a name that the worker knows`)
  }
  const { program, args } = defaultWorkerCommand()
  try {
    const { stdout } = await promisify(execFile)(program, [...args, 'inspect', model, '--json'])
    return JSON.parse(stdout).path
  } catch (error) {
    const told = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error)
    throw usageError(`--model is ${model}: no such file, and no model of that name. ${told}`)
  }
}

/** Where the worker comes from, and how long to wait for it. */
export function acquireOptions(
  options: WorkerOptions,
  modelPath: string,
): Pick<AcquireOptions, 'source' | 'token' | 'startTimeoutMs' | 'loadTimeoutMs'> {
  const command =
    options.workerCommand === undefined ? defaultWorkerCommand() : parseWorkerCommand(options.workerCommand)
  const precision = options.precision === undefined ? [] : ['--precision', options.precision]
  const args = ['--model', modelPath, '--device', options.device, ...precision]
  return {
    source: options.url === undefined ? { command, args } : { url: options.url },
    token: options.apiTokenFile === undefined ? undefined : readToken(options.apiTokenFile),
    startTimeoutMs: options.startTimeout * 1000,
    loadTimeoutMs: options.loadTimeout * 1000,
  }
}

function device(text: string): string {
  if (!/^(auto|cpu|cuda:\d{1,3}|emulator)$/.test(text))
    throw new InvalidArgumentError('It must be auto, cpu or cuda:N.')
  return text
}

export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of at least 1.')
  return Number(text)
}

export function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 86_400)) throw new InvalidArgumentError('It must be a number above 0, at most 86400.')
  return value
}

function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError('It must be an http or https URL.')
  }
  return text
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    throw usageError(`--api-token-file is ${path}, which cannot be read`)
  }
}
