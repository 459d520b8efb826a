import { randomUUID } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { WorkerEnd } from '../evidence/evidence.ts'
import type { HealthRecord } from '../probes/health.ts'
import type { Endpoint } from '../probes/http.ts'
import { steadyNow } from '../probes/steady-clock.ts'
import { waitUntilHealthy } from './wait-until-healthy.ts'
import type { WorkerCommand } from './worker-command.ts'
import { exitWords, type ReapRecord, WorkerProcess } from './worker-process.ts'

/** A worker's drain, and then some. */
const GRACE_MS = 10_000

export interface AcquireOptions {
  /** Where a worker runs already, or how to start one. */
  readonly source: { readonly url: string } | { readonly command: WorkerCommand; readonly args: readonly string[] }
  readonly token: string | undefined
  /** Gets worker.log. */
  readonly folder: string
  readonly startTimeoutMs: number
  readonly loadTimeoutMs: number
  readonly signal: AbortSignal
  readonly onStatus: (status: string, progress: number | undefined) => void
}

/** What is known of a worker because we started it. */
export interface SpawnedWorker {
  readonly pid: number
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  /** The pid in its `listening` line. */
  readonly readyPid: number
  /** What it was told to call itself. */
  readonly workerId: string
  /** The program that its processes must be; null when the command line is not our own. */
  readonly expectedExecutable: string | null
  /** How it ended by itself; undefined when it still lives after so long. */
  ended(waitMs: number): Promise<WorkerEnd | undefined>
}

/** A healthy worker to ask: spawned by us, or found. */
export interface AcquiredWorker {
  readonly endpoint: Endpoint
  readonly health: HealthRecord
  /** From its start, or from the first question, to its first healthy answer. */
  readonly healthyMs: number
  readonly command: string | undefined
  /** undefined for a worker that was found. */
  readonly spawned: SpawnedWorker | undefined
  /** undefined for a worker that was found. */
  release(): Promise<ReapRecord | undefined>
}

/** Finds or starts a worker and waits until it is healthy. On failure nothing is left running. */
export async function acquireWorker(options: AcquireOptions): Promise<AcquiredWorker> {
  const { source, token, signal, onStatus } = options
  const start = performance.now()
  const healthy = async (baseUrl: string, worker: WorkerProcess | undefined) => {
    const endpoint = { baseUrl, token }
    const health = await waitUntilHealthy({ endpoint, worker, timeoutMs: options.loadTimeoutMs, signal, onStatus })
    return { endpoint, health, healthyMs: performance.now() - start }
  }
  if ('url' in source) {
    const found = await healthy(source.url, undefined)
    return { ...found, command: undefined, spawned: undefined, release: async () => undefined }
  }
  onStatus('starting', undefined)
  const { command } = source
  const workerId = randomUUID()
  const startedAtMs = steadyNow()
  const args = [...source.args, '--port', '0', '--worker-id', workerId]
  const worker = await WorkerProcess.spawn({
    command,
    args,
    logPath: join(options.folder, 'worker.log'),
    readyLineTimeoutMs: options.startTimeoutMs,
    graceMs: GRACE_MS,
    signal,
  })
  try {
    const ready = await healthy(worker.url, worker)
    const enginePid = ready.health.health?.engine.pid
    if (typeof enginePid === 'number') await worker.remember('engine', enginePid)
    const line = [command.program, ...command.args, ...args].join(' ')
    const ended = async (waitMs: number) => {
      const exit = await worker.exitWithin(waitMs)
      return exit === undefined ? undefined : { how: exitWords(exit), logTail: worker.logTail() }
    }
    const spawned = {
      pid: worker.pid,
      startedAtMs,
      readyPid: worker.readyPid,
      workerId,
      expectedExecutable: command.own ? realpathSync(command.program) : null,
      ended,
    }
    return { ...ready, command: line, spawned, release: () => worker.reap() }
  } catch (error) {
    await worker.reap()
    throw error
  }
}
