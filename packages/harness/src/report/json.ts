import { describeFailure } from '../diagnosis/describe-failure.ts'
import { snakeCase } from './snake-case.ts'

/** One object on stdout. */
export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(snakeCase(value), null, 2)}\n`)
}

/** What verification.json and --json tell where nothing was judged. */
export function failureJson(error: unknown, folder: string | undefined): object {
  return { version: 1, ...describeFailure(error), artifacts: folder ?? null }
}
