import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Where and with what a run took place. */
export interface Environment {
  readonly harnessVersion: string
  readonly commandLine: readonly string[]
  readonly commit: string | null
  readonly node: string
  readonly platform: string
  readonly cpu: string
  readonly cores: number
  readonly loadAverage: readonly number[]
  readonly memoryBytes: number
}

export async function readEnvironment(): Promise<Environment> {
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  const folder = fileURLToPath(new URL('.', import.meta.url))
  const commit = await promisify(execFile)('git', [
    '-C',
    folder,
    'describe',
    '--always',
    '--dirty',
    '--abbrev=12',
  ]).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  )
  return {
    harnessVersion: manifest.version,
    commandLine: process.argv,
    commit,
    node: process.version,
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    loadAverage: loadavg(),
    memoryBytes: totalmem(),
  }
}
