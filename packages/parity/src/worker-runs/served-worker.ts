import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { lifecycleLineSchema, PlumblineError, type TracedLevel } from '@plumbline/protocol'
import { settingWords, type WorkerCommand, type WorkerSettings } from './worker-command.ts'
import { WorkerProcess } from './worker-process.ts'

export interface ServedPrompt {
  /** Unique among the requests of one worker. */
  readonly jobId: string
  readonly promptTokenIds: readonly number[]
  /** Generated greedily; at least 1. */
  readonly maxTokens: number
  readonly level: TracedLevel
}

/** A worker that serves, with traces of its requests. Always `end` it. */
export class ServedWorker {
  readonly #process: WorkerProcess
  readonly #traces: string
  readonly #timeoutMs: number
  #url = ''

  private constructor(process: WorkerProcess, traces: string, timeoutMs: number) {
    this.#process = process
    this.#traces = traces
    this.#timeoutMs = timeoutMs
  }

  /** `traces`: a folder that is there. Throws WORKER_FAILED, with nothing left running. */
  static async start(
    command: WorkerCommand,
    settings: WorkerSettings,
    traces: string,
    timeoutMs: number,
  ): Promise<ServedWorker> {
    const words = [...settingWords(settings), '--port', '0', '--trace-dir', traces, '--log-level', 'warn']
    const process = new WorkerProcess(command, words)
    const worker = new ServedWorker(process, traces, timeoutMs)
    try {
      worker.#url = await process.said(readyUrl, timeoutMs)
      return worker
    } catch (error) {
      await process.end()
      throw error
    }
  }

  /** Sends the prompt to /execute and waits for the end of its answer. Returns the folder of its trace. */
  async trace({ jobId, promptTokenIds, maxTokens, level }: ServedPrompt): Promise<string> {
    const body = {
      job_id: jobId,
      prompt_token_ids: promptTokenIds,
      max_tokens: maxTokens,
      temperature: 0,
      trace: level,
    }
    let text: string
    try {
      const response = await fetch(`${this.#url}/execute`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(this.#timeoutMs),
      })
      text = await response.text()
    } catch (error) {
      throw this.#process.failure(`did not answer ${jobId}: ${(error as Error).message}`)
    }
    const trace = readdirSync(this.#traces).find((name) => name.endsWith(`-${jobId}`))
    if (/^event: end$/m.test(text) && trace !== undefined) return join(this.#traces, trace)
    throw this.#process.failure(`did not finish ${jobId}: ${text.trim().split('\n').slice(-1)[0]}`)
  }

  end(): Promise<void> {
    return this.#process.end()
  }
}

function readyUrl(stdout: string): string | undefined {
  for (const line of stdout.split('\n').slice(0, -1)) {
    const read = lifecycleLineSchema.safeParse(line.startsWith('{') ? JSON.parse(line) : undefined)
    if (read.data?.event === 'ready') return read.data.url
    if (read.data?.event === 'failed') throw new PlumblineError('WORKER_FAILED', read.data.message, { ...read.data })
  }
  return undefined
}
