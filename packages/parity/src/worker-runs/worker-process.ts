import { type ChildProcess, spawn } from 'node:child_process'
import { PlumblineError } from '@plumbline/protocol'
import { commandLine } from '../report/command-line.ts'
import type { WorkerCommand } from './worker-command.ts'

/** How much of what a worker says is kept. */
const KEPT_CHARACTERS = 1 << 16
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * A worker in a process group of its own: nothing that it started outlives `end`, nor this process, unless that is killed outright and
 * the worker is not Plumbline's own.
 * What it prints is kept, the end of it.
 */
export class WorkerProcess {
  readonly command: string
  readonly #child: ChildProcess
  readonly #closed: Promise<string | undefined>
  readonly #kill: () => void
  readonly #onSignal: (signal: NodeJS.Signals) => void
  stdout = ''
  stderr = ''
  #onText = () => {}

  constructor({ program, args }: WorkerCommand, more: readonly string[]) {
    const argv = [...args, ...more]
    this.command = commandLine([program, ...argv])
    // Its stdin ends with this process, and by the variable Plumbline's own worker ends with its stdin: even after a `kill -9`.
    const env = { ...process.env, PLUMBLINE_END_WITH_STDIN: '1' }
    this.#child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env })
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout = (this.stdout + text).slice(-KEPT_CHARACTERS)
      this.#onText()
    })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-KEPT_CHARACTERS)
    })
    this.#closed = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`could not be started: ${error.message}`))
      this.#child.once('close', (code, signal) => {
        if (code === 0) resolve(undefined)
        else resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`)
      })
    })
    this.#kill = () => killGroup(this.#child.pid)
    this.#onSignal = (signal) => {
      this.#kill()
      for (const other of SIGNALS) process.removeListener(other, this.#onSignal)
      process.kill(process.pid, signal)
    }
    process.once('exit', this.#kill)
    for (const signal of SIGNALS) process.once(signal, this.#onSignal)
  }

  /** Waits for its end by itself. Throws WORKER_FAILED where that is not a good one, or does not come in time. */
  async finished(timeoutMs: number): Promise<void> {
    const problem = await Promise.race([this.#closed, after(timeoutMs)])
    if (problem !== undefined) throw this.failure(problem)
  }

  /** Waits for something on stdout. Throws WORKER_FAILED where it ends first, or that does not come in time. */
  async said<T>(find: (stdout: string) => T | undefined, timeoutMs: number): Promise<T> {
    const found = new Promise<{ value: T }>((resolve) => {
      this.#onText = () => {
        const value = find(this.stdout)
        if (value !== undefined) resolve({ value })
      }
      this.#onText()
    })
    const over = this.#closed.then((problem) => problem ?? 'ended before it was ready')
    const first = await Promise.race([found, over, after(timeoutMs)])
    if (typeof first === 'object') return first.value
    throw this.failure(first)
  }

  failure(problem: string): PlumblineError {
    const last = this.stderr.trim().split('\n').slice(-3).join('\n  ')
    const said = last === '' ? '' : `; its last words:\n  ${last}`
    const message = `the worker ${problem}${said}\n  It was started as: ${this.command}`
    return new PlumblineError('WORKER_FAILED', message, { command: this.command })
  }

  /** Ends it and all that it started. */
  async end(): Promise<void> {
    this.#kill()
    await this.#closed
    process.removeListener('exit', this.#kill)
    for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal)
  }
}

function after(timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(`was not done within ${timeoutMs / 1_000} s (--timeout-sec)`), timeoutMs).unref()
  })
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}
