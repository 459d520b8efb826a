import { execFile } from 'node:child_process'
import { skipReason } from '@plumbline/protocol/testing'
import { expect, test } from 'vitest'

const packageRoot = new URL('..', import.meta.url).pathname

interface Finished {
  readonly status: number | null
  readonly output: string
}

function run(command: string, args: readonly string[]): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { cwd: packageRoot, maxBuffer: 64 << 20 }, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode, output: stdout + stderr }),
    )
  })
}

/** A test that builds and runs native code; where a tool for it is missing it is skipped, and says which. */
export function nativeTest(
  name: string,
  command: string,
  args: readonly string[],
  check: (output: string) => void,
): void {
  test(name, { timeout: 30 * 60_000 }, async ({ skip }) => {
    const { status, output } = await run(command, args)
    const lacking = skipReason(/^skipped: (.*)$/m.exec(output)?.[1])
    if (lacking !== undefined) skip(lacking)
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${status}:\n${output}`)
    check(output)
  })
}

/** All suites of ctest have run and passed. */
export function expectAllSuites(output: string): void {
  const [, passed, failed, total] = /(\d+)% tests passed, (\d+) tests failed out of (\d+)/.exec(output) ?? []
  expect({ passed, failed }).toEqual({ passed: '100', failed: '0' })
  expect(Number(total)).toBeGreaterThanOrEqual(6)
}
