import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Health, healthSchema, type LifecycleLine, lifecycleLineSchema } from '@plumbline/protocol'
import { onTestFinished } from 'vitest'
import type { FakeLoad } from '../fixtures/fake-script.ts'
import { HAIKU_NANO } from './models.ts'

const PROGRAM = fileURLToPath(new URL('../fixtures/worker-from-source.ts', import.meta.url))
/** Compiled modules are kept from one worker to the next: half of what a start costs. */
const COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/test-modules', import.meta.url))
const FAKE_ENGINE = fileURLToPath(new URL('../fixtures/fake-engine.ts', import.meta.url))

/** Ended with this process, whatever became of the test that should have stopped them. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** What Node is given to run a worker: from its sources, or as it is shipped. */
export const FROM_SOURCE = ['--conditions=source', PROGRAM]
export const AS_SHIPPED = [fileURLToPath(new URL('../../bin/plumbline-worker.js', import.meta.url))]

/** A worker process under test. */
export class SpawnedWorker {
  readonly child: ChildProcess
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  stdout = ''
  stderr = ''
  /** What --model was given. */
  readonly modelPath: string

  constructor(
    args: readonly string[],
    environment: Record<string, string> = {},
    program = FROM_SOURCE,
    command = process.execPath,
  ) {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PLUMBLINE_')))
    this.child = spawn(command, [...program, ...args], {
      env: { ...inherited, NODE_OPTIONS: '', NODE_COMPILE_CACHE: COMPILE_CACHE, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout!.setEncoding('utf8').on('data', (text) => (this.stdout += text))
    this.child.stderr!.setEncoding('utf8').on('data', (text) => (this.stderr += text))
    this.modelPath = args[args.indexOf('--model') + 1] ?? ''
    running.add(this.child)
    this.exited = new Promise((resolve) =>
      this.child.on('close', (code, signal) => {
        running.delete(this.child)
        resolve({ code, signal })
      }),
    )
  }

  get lines(): LifecycleLine[] {
    const whole = this.stdout.split('\n').slice(0, -1)
    return whole.map((line) => lifecycleLineSchema.parse(JSON.parse(line)))
  }

  get url(): string {
    const listening = this.lines.find((line) => line.event === 'listening')
    if (!listening) throw new Error(`the worker does not listen: ${this.stderr}`)
    return listening.url
  }

  async waitFor(event: LifecycleLine['event']): Promise<void> {
    await until(() => this.lines.some((line) => line.event === event) || this.child.exitCode !== null)
    if (!this.lines.some((line) => line.event === event)) throw new Error(`no ${event}: ${this.stdout}${this.stderr}`)
  }

  async health(): Promise<Health> {
    return healthSchema.parse(await (await fetch(`${this.url}/health`)).json())
  }

  async untilHealthy(): Promise<Health> {
    await until(async () => (await this.health()).status === 'healthy')
    return this.health()
  }

  /** The access log and everything else on stderr, line by line. */
  get log(): Record<string, unknown>[] {
    const whole = this.stderr.split('\n').slice(0, -1)
    return whole.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** The access log line of the request that had this correlation id. */
  async accessLine(correlationId: string): Promise<Record<string, unknown>> {
    const find = () => this.log.find((line) => line.msg === 'request' && line.correlation_id === correlationId)
    await until(() => find() !== undefined)
    return find()!
  }

  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    const escaped = `plumbline_worker_${name}`.replaceAll(/[{}"]/g, '\\$&')
    const line = new RegExp(`^${escaped} (\\S+)$`, 'm').exec(text)
    return line ? Number(line[1]) : 0
  }

  /** Bytes that the front holds on to, on the heap and beside it; with NODE_OPTIONS=--expose-gc. */
  async memoryWithoutGarbage(): Promise<number> {
    const readings = (): object[] => this.log.filter((line) => line.msg === 'memory')
    const before = readings().length
    this.child.kill('SIGUSR2')
    await until(() => readings().length > before)
    const { heapUsed, arrayBuffers } = readings().at(-1) as { heapUsed: number; arrayBuffers: number }
    return heapUsed + arrayBuffers
  }

  async stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM')
      setTimeout(() => this.child.kill('SIGTERM'), 200).unref()
      setTimeout(() => this.child.kill('SIGKILL'), 10_000).unref()
    }
    return this.exited
  }
}

/** The smallest file that --model takes: enough for the fake engine. */
export function fakeModel(): { path: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-worker-test-'))
  writeFileSync(join(folder, 'fake.gguf'), Buffer.from('GGUF\x03\0\0\0', 'latin1'))
  return { path: join(folder, 'fake.gguf'), remove: () => rmSync(folder, { recursive: true }) }
}

/** A worker over the fake engine; call `stop` when done, or use `testWorker`. */
export function spawnFakeWorker(
  args: readonly string[] = [],
  {
    load = {},
    environment = {},
    program = FROM_SOURCE,
  }: { load?: FakeLoad; environment?: Record<string, string>; program?: string[] } = {},
): SpawnedWorker {
  const model = fakeModel()
  const fakes = {
    XDG_CACHE_HOME: join(model.path, '..'),
    PLUMBLINE_ENGINE_PROCESS: FAKE_ENGINE,
    PLUMBLINE_FAKE_LOAD: JSON.stringify(load),
    ...environment,
  }
  const worker = new SpawnedWorker(['--model', model.path, '--port', '0', ...args], fakes, program)
  void worker.exited.then(model.remove)
  return worker
}

/** A ready worker over a real model, for one test. */
export async function realWorker(
  modelPath: string,
  args: readonly string[] = [],
  program = FROM_SOURCE,
  environment: Record<string, string> = {},
): Promise<SpawnedWorker> {
  const given = ['--model', modelPath, '--port', '0', '--threads', '2', ...args]
  const worker = new SpawnedWorker(given, environment, program)
  onTestFinished(async () => void (await worker.stop()))
  await worker.waitFor('ready')
  return worker
}

/**
 * Over haiku-nano, for tests that act in the middle of an answer: as fast as it can be, 2,000 tokens take half a second, and a test that
 * is held up for so long would act on an answer that is over. So computed they take seconds, the longer the busier the machine.
 */
export const unhurriedWorker = (args: readonly string[] = []) =>
  realWorker(HAIKU_NANO, ['--threads', '1', '--precision', 'exact', ...args], FROM_SOURCE, {
    PLUMBLINE_CPU_VARIANT: 'portable',
  })

/** A ready worker over the fake engine for one test, stopped when the test ends. */
export async function fakeWorker(...options: Parameters<typeof spawnFakeWorker>): Promise<SpawnedWorker> {
  const worker = spawnFakeWorker(...options)
  onTestFinished(async () => void (await worker.stop()))
  await worker.waitFor('ready')
  return worker
}

export async function until(condition: () => boolean | Promise<boolean>, limitMs = 50_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not so within ${limitMs} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

export function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}
