import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

export interface ParityResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** plumbline-parity with these arguments, as a process of its own. */
export function runParity(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<ParityResult> {
  const nodeArgs = ['--conditions=source', '--disable-warning=ExperimentalWarning', cli, ...args]
  return new Promise((resolve, reject) => {
    execFile(process.execPath, nodeArgs, { env, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ exitCode: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}
