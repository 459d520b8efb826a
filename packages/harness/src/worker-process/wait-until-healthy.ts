import { setTimeout as sleep } from 'node:timers/promises'
import { getHealth, type HealthRecord } from '../probes/health.ts'
import { type Endpoint, errorLine } from '../probes/http.ts'
import { WorkerFailure } from './worker-failure.ts'
import type { WorkerProcess } from './worker-process.ts'

const POLL_MS = 50
/** How long a healthy worker may still be busy with the sum over its model file. */
const SHA256_TIMEOUT_MS = 60_000

export interface HealthyOptions {
  readonly endpoint: Endpoint
  /** undefined with --url: then nobody can say that the worker has ended. */
  readonly worker: WorkerProcess | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** `progress`: 0 to 1, when the worker tells it. */
  readonly onStatus: (status: string, progress: number | undefined) => void
}

/** Follows /health until it says `healthy`, then until it knows the model's sha256 (or gives up on that alone). */
export async function waitUntilHealthy(options: HealthyOptions): Promise<HealthRecord> {
  const { endpoint, worker, timeoutMs, signal, onStatus } = options
  const start = performance.now()
  let seen = 'no answer yet'
  for (;;) {
    if (signal.aborted) throw new WorkerFailure('interrupted', 'the harness was told to stop')
    await worker?.assertServing()
    let record: HealthRecord | undefined
    try {
      record = await getHealth(endpoint, 5_000)
      seen = record.health?.status ?? `HTTP ${record.status}: ${record.problem}`
      if (record.status !== 200) onStatus(seen, record.health?.progress)
    } catch (error) {
      seen = errorLine(error)
      if (worker === undefined) {
        throw new WorkerFailure('unreachable', `${endpoint.baseUrl} does not answer: ${seen}`, {
          url: endpoint.baseUrl,
        })
      }
    }
    // A body that breaks the protocol is for the checks to judge: 200 means healthy.
    if (record?.status === 200) {
      const waitedMs = performance.now() - start
      if (record.health === undefined || record.health.model_sha256 !== null || waitedMs > SHA256_TIMEOUT_MS)
        return record
      onStatus('healthy, summing its model file', undefined)
    }
    if (record?.status !== 200 && performance.now() - start > timeoutMs) {
      await worker?.assertServing()
      const message = `the worker was not healthy within ${timeoutMs / 1000} s; /health last said: ${seen}`
      throw new WorkerFailure('not-healthy', message, { lastHealth: seen, logTail: worker?.logTail() ?? [] })
    }
    await sleep(POLL_MS)
  }
}
