import { fileURLToPath } from 'node:url'
import { parseArgsStringToArgv } from 'string-argv'
import { usageError } from '../command-error.ts'

export interface WorkerCommand {
  readonly program: string
  /** The arguments before those that the harness adds. */
  readonly args: readonly string[]
  /** Whether this is Plumbline's own worker, whose program is then known to be the harness's own Node. */
  readonly own: boolean
}

/** Plumbline's own worker, on the Node that runs the harness. */
export function defaultWorkerCommand(): WorkerCommand {
  const script = fileURLToPath(new URL('../../../worker/bin/plumbline-worker.js', import.meta.url))
  return { program: process.execPath, args: [script], own: true }
}

/** Splits a command line as a shell would (quotes, no expansion). */
export function parseWorkerCommand(line: string): WorkerCommand {
  const [program, ...args] = parseArgsStringToArgv(line)
  if (program === undefined)
    throw usageError('--worker-command is empty: it must be a command line that starts a worker')
  return { program, args, own: false }
}
