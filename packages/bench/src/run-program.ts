import { execFile } from 'node:child_process'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import { PlumblineError } from '@plumbline/protocol/errors'

/** What a program prints on stdout. One that cannot be started or fails is an INTERNAL error with its last words. */
export async function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, [...args], { env, maxBuffer: 1 << 26 })
    return stdout
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    const why = stderr?.trim().split('\n').at(-1) || message.split('\n')[0]
    throw new PlumblineError('INTERNAL', `${basename(program)} ${args.join(' ')} failed: ${why}`, { program }, error)
  }
}
