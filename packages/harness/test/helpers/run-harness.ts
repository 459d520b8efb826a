// Runs the harness's command line, and the misbehaving workers, from their sources.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { waitUntil } from '../../src/worker-process/process-identity.ts'
import type { WorkerCommand } from '../../src/worker-process/worker-command.ts'

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const fromSources = ['--import', new URL('./plumbline-sources.ts', import.meta.url).href]

export interface HarnessResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  readonly artifacts: string
}

export interface RunningHarness {
  readonly pid: number
  readonly result: Promise<HarnessResult>
  /** What it has said so far. */
  stderr(): string
  kill(signal: NodeJS.Signals): void
}

export function startHarness(args: readonly string[], environment: NodeJS.ProcessEnv = {}): RunningHarness {
  const artifacts = mkdtempSync(join(tmpdir(), 'plumbline-harness-'))
  const argv = [...fromSources, pathOf('../../src/cli.ts'), ...args, '--artifacts', artifacts]
  onTestFinished(() => rmSync(artifacts, { recursive: true, force: true }))
  const env = {
    ...process.env,
    // Stripping types takes most of the time of a start.
    NODE_COMPILE_CACHE: join(tmpdir(), 'plumbline-compile-cache'),
    // Fixtures leave their files where the artifacts go.
    TMPDIR: artifacts,
    ...environment,
  }
  const child = spawn(process.execPath, argv, { env })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  return {
    pid: child.pid!,
    stderr: () => stderr,
    kill: (signal) => child.kill(signal),
    result: new Promise((resolve) => {
      child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr, artifacts }))
    }),
  }
}

export function runHarness(args: readonly string[], environment?: NodeJS.ProcessEnv): Promise<HarnessResult> {
  return startHarness(args, environment).result
}

/** What starts one of the misbehaving workers. */
export function fixtureWorker(name: string): WorkerCommand {
  const args = [...fromSources, pathOf(`../fixtures/${name}.ts`)]
  return { program: process.execPath, args, own: false }
}

/** The same as a command line. */
export function fixtureCommand(name: string): string {
  const { program, args } = fixtureWorker(name)
  return [program, ...args].map((part) => `'${part}'`).join(' ')
}

/** Once there are any, and what they print at once is printed. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children = () =>
    readdirSync(`/proc/${pid}/task`)
      .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' '))
      .filter((child) => child !== '')
      .map(Number)
  await waitUntil(() => children().length > 0, 30_000)
  await sleep(500)
  return children()
}
