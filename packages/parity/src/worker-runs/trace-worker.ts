import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { TracedLevel } from '@plumbline/protocol'
import { settingWords, type WorkerCommand, type WorkerSettings } from './worker-command.ts'
import { WorkerProcess } from './worker-process.ts'

export interface TraceOrder extends WorkerSettings {
  readonly promptTokenIds: readonly number[]
  /** Generated greedily. */
  readonly maxTokens: number
  readonly level: TracedLevel
  readonly prefillChunk?: number
  readonly out: string
  readonly timeoutMs: number
}

/** Runs the worker's `trace` command: afterwards there is a trace at `out`. Throws WORKER_FAILED; leaves no process behind. */
export async function traceWorker(command: WorkerCommand, order: TraceOrder): Promise<void> {
  const { promptTokenIds, maxTokens, level, prefillChunk, out, timeoutMs } = order
  const worker = new WorkerProcess(command, [
    'trace',
    ...settingWords(order),
    ...['--prompt-token-ids', promptTokenIds.join(',')],
    ...['--max-tokens', `${maxTokens}`, '--temperature', '0'],
    ...['--level', level, '--out', out],
    ...(prefillChunk === undefined ? [] : ['--prefill-chunk', `${prefillChunk}`]),
  ])
  try {
    await worker.finished(timeoutMs)
    const manifest = join(out, 'manifest.json')
    if (!existsSync(manifest)) throw worker.failure(`ended well, and left no trace: ${manifest} is not there`)
  } finally {
    await worker.end()
  }
}
