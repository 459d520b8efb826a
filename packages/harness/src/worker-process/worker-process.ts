import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LifecycleLine, lifecycleLineSchema } from '@plumbline/protocol'
import { errorLine } from '../probes/http.ts'
import { ancestors, readProcessFacts } from '../probes/process-facts.ts'
import { type ProcessIdentity, processGone, waitUntil } from './process-identity.ts'
import type { WorkerCommand } from './worker-command.ts'
import { WorkerFailure, type WorkerFailureFacts } from './worker-failure.ts'
import { WorkerLog } from './worker-log.ts'

export interface SpawnOptions {
  readonly command: WorkerCommand
  /** What the harness adds to the command. */
  readonly args: readonly string[]
  readonly logPath: string
  readonly readyLineTimeoutMs: number
  /** How long it may take to end after SIGTERM. */
  readonly graceMs: number
  /** Ends the wait for the ready line. */
  readonly signal: AbortSignal
}

export interface WorkerExit {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

/** What became of the worker's processes when the harness was done with them. */
export interface ReapRecord {
  readonly exit: WorkerExit
  /** False when SIGTERM was not enough. */
  readonly endedOnRequest: boolean
  readonly processes: readonly { role: string; pid: number; gone: boolean; killed: boolean }[]
}

type FailedLine = Extract<LifecycleLine, { event: 'failed' }>

/**
 * A spawned worker: its first line, its log, its end. It runs in a process group of its own, so that nothing that it
 * started outlives `reap`, which may be called at any time and more than once.
 */
export class WorkerProcess {
  readonly pid: number
  readonly #command: string
  readonly #child: ChildProcess
  readonly #graceMs: number
  readonly #log: WorkerLog
  readonly #exited: Promise<WorkerExit>
  readonly #firstLine: Promise<string>
  readonly #others: ProcessIdentity[] = []
  readonly #killGroup: () => void
  #exit: WorkerExit | undefined
  #failedLine: FailedLine | undefined
  #url = ''
  #readyPid = 0
  #reaped: Promise<ReapRecord> | undefined

  private constructor(child: ChildProcess, command: string, graceMs: number, log: WorkerLog) {
    const pid = child.pid!
    this.pid = pid
    this.#command = command
    this.#graceMs = graceMs
    this.#child = child
    this.#log = log
    this.#exited = new Promise((resolve) => {
      child.once('exit', (exitCode, signal) => {
        this.#exit = { exitCode, signal }
        resolve(this.#exit)
      })
    })
    this.#firstLine = new Promise((resolve) => {
      log.follow(child, (line) => {
        resolve(line)
        const read = readLifecycleLine(line)
        if (read?.event === 'failed') this.#failedLine = read
      })
    })
    // The last line of defence, for an exit of the harness that nobody saw coming.
    this.#killGroup = () => killGroup(pid)
    process.once('exit', this.#killGroup)
  }

  /** Starts the worker and waits for its `listening` line. What fails is a WorkerFailure, with nothing left running. */
  static async spawn(options: SpawnOptions): Promise<WorkerProcess> {
    const argv = [...options.command.args, ...options.args]
    const command = [options.command.program, ...argv].join(' ')
    const log = new WorkerLog(options.logPath)
    const child = spawn(options.command.program, argv, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    try {
      await once(child, 'spawn')
    } catch (error) {
      await log.close()
      throw new WorkerFailure('spawn', `${options.command.program} could not be started: ${errorLine(error)}`, {
        command,
      })
    }
    const worker = new WorkerProcess(child, command, options.graceMs, log)
    try {
      await worker.#listening(options)
      return worker
    } catch (error) {
      await worker.reap()
      throw error
    }
  }

  async #listening(options: SpawnOptions): Promise<void> {
    const timeout = AbortSignal.timeout(options.readyLineTimeoutMs)
    const stop = AbortSignal.any([timeout, options.signal])
    const stopped = new Promise<undefined>((resolve) => {
      if (stop.aborted) resolve(undefined)
      stop.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    // A worker that ends has its last words read first.
    const over = this.#exited.then(() => this.#outputClosed()).then(() => undefined)
    const line = await Promise.race([this.#firstLine, over, stopped])
    const read = line === undefined ? undefined : readLifecycleLine(line)
    if (read?.event === 'listening') {
      this.#url = read.url
      this.#readyPid = read.pid
      return
    }
    if (read?.event === 'failed') await Promise.race([over, sleep(1_000, undefined, { ref: false })])
    const known = this.#facts()
    if (this.#failedLine !== undefined) throw loadFailure(this.#failedLine, known)
    if (line !== undefined) {
      const message = 'the first line on stdout is not the ready line of the protocol'
      throw new WorkerFailure('bad-ready-line', message, { ...known, line: line.slice(0, 200) })
    }
    if (this.#exit !== undefined) {
      const message = `the worker ended before it printed its ready line (${exitWords(this.#exit)})`
      throw new WorkerFailure('exited', message, known)
    }
    if (timeout.aborted) {
      const message = `the worker printed no ready line within ${options.readyLineTimeoutMs / 1000} s`
      throw new WorkerFailure('no-ready-line', message, known)
    }
    throw new WorkerFailure('interrupted', 'the harness was told to stop', known)
  }

  /** Where the worker listens, by its ready line. */
  get url(): string {
    return this.#url
  }

  /** The pid that its ready line names. */
  get readyPid(): number {
    return this.#readyPid
  }

  /** The exit, when there is one within `waitMs`, with all that was printed before it in the log. */
  async exitWithin(waitMs: number): Promise<WorkerExit | undefined> {
    await Promise.race([this.#exited, sleep(waitMs, undefined, { ref: false })])
    if (this.#exit !== undefined) await this.#outputClosed()
    return this.#exit
  }

  /** Throws a WorkerFailure when the worker has ended, or has said that it cannot serve. */
  async assertServing(): Promise<void> {
    if (this.#failedLine === undefined && this.#exit === undefined) return
    await this.exitWithin(1_000)
    const facts = this.#facts()
    if (this.#failedLine !== undefined) throw loadFailure(this.#failedLine, facts)
    throw new WorkerFailure('exited', `the worker ended (${exitWords(this.#exit!)})`, facts)
  }

  #facts(): WorkerFailureFacts {
    return { command: this.#command, logTail: this.logTail(), ...this.#exit }
  }

  logTail(): readonly string[] {
    return this.#log.tail()
  }

  /**
   * Makes `reap` answer for one more process, if the worker started it. Anything else stays untouched: the pid is the worker's word,
   * and `reap` kills.
   */
  async remember(role: string, pid: number): Promise<void> {
    const [itself, ...above] = await ancestors(pid)
    if (itself === undefined || !above.includes(this.pid)) return
    const facts = await readProcessFacts(pid)
    if (facts !== undefined) this.#others.push({ role, pid, startTicks: facts.startTicks })
  }

  /** Ends the worker: SIGTERM, some grace, SIGKILL to all of its group; then looks whether everything is gone. */
  reap(): Promise<ReapRecord> {
    this.#reaped ??= this.#reapOnce()
    return this.#reaped
  }

  async #reapOnce(): Promise<ReapRecord> {
    if (this.#exit === undefined) this.#child.kill('SIGTERM')
    const grace = sleep(this.#graceMs, undefined, { ref: false })
    const endedOnRequest = (await Promise.race([this.#exited, grace])) !== undefined
    const others = []
    for (const { role, pid, startTicks } of this.#others) {
      const gone = await waitUntil(() => processGone({ role, pid, startTicks }), 1_000)
      others.push({ role, pid, startTicks, gone })
    }
    killGroup(this.pid)
    const exit = await this.#exited
    await this.#outputClosed()
    await this.#log.close()
    process.removeListener('exit', this.#killGroup)

    const processes = [{ role: 'front', pid: this.pid, gone: true, killed: !endedOnRequest }]
    for (const { gone, ...other } of others) {
      // It may have left the process group.
      if (!gone && !(await processGone(other))) process.kill(other.pid, 'SIGKILL')
      processes.push({
        role: other.role,
        pid: other.pid,
        gone: await waitUntil(() => processGone(other), 1_000),
        killed: !gone,
      })
    }
    return { exit, endedOnRequest, processes }
  }

  /** Waits, but not for long, until the pipes are empty: a grandchild may hold them open. */
  async #outputClosed(): Promise<void> {
    const closed = () => this.#child.stdout!.destroyed && this.#child.stderr!.destroyed
    await waitUntil(closed, 1_000)
  }
}

export function exitWords(exit: WorkerExit): string {
  return exit.signal === null ? `exit code ${exit.exitCode}` : `signal ${exit.signal}`
}

function loadFailure(line: FailedLine, facts: WorkerFailureFacts): WorkerFailure {
  return new WorkerFailure('load-failed', line.message, { ...facts, code: line.code })
}

function readLifecycleLine(line: string): LifecycleLine | undefined {
  try {
    return lifecycleLineSchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}
