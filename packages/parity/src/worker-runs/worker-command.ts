import { fileURLToPath } from 'node:url'
import { PlumblineError } from '@plumbline/protocol'
import { parseArgsStringToArgv } from 'string-argv'

export interface WorkerCommand {
  readonly program: string
  /** The arguments before those that are added here. */
  readonly args: readonly string[]
}

/** The worker that a command line starts, split as a shell would; without one, Plumbline's own on the Node that runs this. */
export function workerCommand(line: string | undefined): WorkerCommand {
  if (line === undefined) {
    const script = fileURLToPath(new URL('../../../worker/bin/plumbline-worker.js', import.meta.url))
    return { program: process.execPath, args: [script] }
  }
  const [program, ...args] = parseArgsStringToArgv(line)
  if (program !== undefined) return { program, args }
  throw new PlumblineError('INVALID_OPTION', "--worker-command is '', must be a command line that starts a worker", {
    option: '--worker-command',
  })
}

/** How the worker is to compute. */
export interface WorkerSettings {
  readonly model: string
  readonly precision?: string | undefined
  readonly device?: string | undefined
  readonly threads?: number | undefined
}

export function settingWords({ model, precision, device, threads }: WorkerSettings): string[] {
  const given = { '--model': model, '--precision': precision, '--device': device, '--threads': threads }
  return Object.entries(given).flatMap(([flag, value]) => (value === undefined ? [] : [flag, `${value}`]))
}
