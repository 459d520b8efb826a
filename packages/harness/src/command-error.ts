import { EXIT, type ExitCode } from '@plumbline/protocol'

/** A command that cannot go on, for a reason that its message tells in full. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** A command line that cannot be carried out as it stands. */
export function usageError(message: string): CommandError {
  return new CommandError(EXIT.usage, message)
}
