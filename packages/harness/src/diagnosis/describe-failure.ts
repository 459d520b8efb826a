import { ERRORS, EXIT, type ExitCode, PlumblineError } from '@plumbline/protocol'
import { CommandError } from '../command-error.ts'
import { WorkerFailure } from '../worker-process/worker-failure.ts'
import { type Diagnosis, diagnoseFailure } from './diagnose.ts'

/** What a command that could not be carried out ends with: for a person, for a program, and for the shell. */
export interface DescribedFailure {
  readonly exitCode: ExitCode
  readonly diagnosis: Diagnosis
}

/** Any error that ends a command, in words. `advice` is empty where the cause says all there is to say. */
export function describeFailure(error: unknown): DescribedFailure {
  if (error instanceof WorkerFailure) return { exitCode: EXIT.couldNotRun, diagnosis: diagnoseFailure(error) }
  const described = (exitCode: ExitCode, cause: string, advice = '', logTail: readonly string[] = []) => ({
    exitCode,
    diagnosis: { cause, advice, logTail },
  })
  if (error instanceof CommandError) return described(error.exitCode, error.message)
  if (error instanceof PlumblineError) return described(ERRORS[error.code].exitCode, `${error.code}: ${error.message}`)
  const stack = error instanceof Error ? (error.stack ?? error.message).split('\n') : [String(error)]
  const advice = 'This is a mistake in the harness, or something of the system that it did not expect.'
  return described(EXIT.couldNotRun, `plumbline-harness failed: ${stack[0]}`, advice, stack.slice(1))
}
