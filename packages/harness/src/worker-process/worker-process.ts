import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LifecycleLine, lifecycleLineSchema } from '@plumbline/protocol'
import { errorLine } from '../probes/http.ts'
import { FAMILY_VARIABLE, processFamily } from './process-family.ts'
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
 * A spawned worker: its first line, its log, its end. It runs in a process group of its own and with a mark in its
 * environment, so that nothing that it started outlives `reap`, which may be called at any time and more than once.
 */
export class WorkerProcess {
  readonly pid: number
  readonly #command: string
  readonly #child: ChildProcess
  readonly #graceMs: number
  readonly #log: WorkerLog
  readonly #exited: Promise<WorkerExit>
  readonly #firstLine: Promise<string>
  readonly #mark: string
  /** All that was ever seen to come from it, by pid and start: it may have another parent by now. */
  readonly #family = new Map<string, ProcessIdentity>()
  readonly #roles = new Map<number, string>()
  readonly #killAll: () => void
  #exit: WorkerExit | undefined
  #failedLine: FailedLine | undefined
  #url = ''
  #readyPid = 0
  #reaped: Promise<ReapRecord> | undefined

  private constructor(child: ChildProcess, command: string, graceMs: number, log: WorkerLog, mark: string) {
    const pid = child.pid!
    this.pid = pid
    this.#command = command
    this.#graceMs = graceMs
    this.#mark = mark
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
    this.#killAll = () => {
      const family = this.#lookForFamily()
      killGroup(pid)
      for (const identity of family) killProcess(identity.pid)
    }
    process.once('exit', this.#killAll)
  }

  /** Starts the worker and waits for its `listening` line. What fails is a WorkerFailure, with nothing left running. */
  static async spawn(options: SpawnOptions): Promise<WorkerProcess> {
    const argv = [...options.command.args, ...options.args]
    const command = [options.command.program, ...argv].join(' ')
    const log = new WorkerLog(options.logPath)
    const mark = randomUUID()
    const child = spawn(options.command.program, argv, {
      // Its stdin ends with this process, and by the variable Plumbline's own worker ends with its stdin: even after a `kill -9`.
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, [FAMILY_VARIABLE]: mark, PLUMBLINE_END_WITH_STDIN: '1' },
    })
    try {
      await once(child, 'spawn')
    } catch (error) {
      await log.close()
      throw new WorkerFailure('spawn', `${options.command.program} could not be started: ${errorLine(error)}`, {
        command,
      })
    }
    const worker = new WorkerProcess(child, command, options.graceMs, log, mark)
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
   * Gives a process a name in the record of `reap`, if it comes from the worker. Anything else stays untouched: the pid is the worker's
   * word, and `reap` kills.
   */
  remember(role: string, pid: number): void {
    this.#roles.set(pid, role)
    this.#lookForFamily()
  }

  /** Whoever comes from the worker now. */
  #lookForFamily(): ProcessIdentity[] {
    // Once the front has ended, another process may be given its pid.
    const front = this.#exit === undefined ? [this.pid] : []
    const family = processFamily(front, [...this.#family.values()], this.#mark)
    for (const identity of family) {
      const key = `${identity.pid} ${identity.startTicks}`
      if (!this.#family.has(key)) this.#family.set(key, identity)
    }
    return family
  }

  /** Ends the worker: SIGTERM, some grace, SIGKILL to all that came from it; then looks whether everything is gone. */
  reap(): Promise<ReapRecord> {
    this.#reaped ??= this.#reapOnce()
    return this.#reaped
  }

  async #reapOnce(): Promise<ReapRecord> {
    this.#lookForFamily()
    if (this.#exit === undefined) this.#child.kill('SIGTERM')
    const grace = sleep(this.#graceMs, undefined, { ref: false })
    const endedOnRequest = (await Promise.race([this.#exited, grace])) !== undefined
    await waitUntil(async () => (await this.#left()).length === 0, 1_000)
    // One may have been started since, and not each is in the group.
    this.#lookForFamily()
    const killed = new Set(await this.#left())
    killGroup(this.pid)
    for (const identity of killed) killProcess(identity.pid)
    const exit = await this.#exited
    await this.#outputClosed()
    await this.#log.close()
    process.removeListener('exit', this.#killAll)

    await waitUntil(async () => (await this.#left()).length === 0, 1_000)
    const left = new Set(await this.#left())
    const processes = [{ role: 'front', pid: this.pid, gone: true, killed: !endedOnRequest }]
    for (const identity of this.#family.values()) {
      const role = this.#roles.get(identity.pid) ?? 'other'
      processes.push({ role, pid: identity.pid, gone: !left.has(identity), killed: killed.has(identity) })
    }
    return { exit, endedOnRequest, processes }
  }

  /** Of all that ever came from it, what still runs. */
  async #left(): Promise<ProcessIdentity[]> {
    const all = [...this.#family.values()]
    const gone = await Promise.all(all.map(processGone))
    return all.filter((_, index) => !gone[index])
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
  killProcess(-pid)
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has gone by itself.
  }
}
