import { once } from 'node:events'
import type { TracedLevel } from '@plumbline/protocol'
import { PlumblineError } from '@plumbline/protocol/errors'
import type { OptionValues } from '../config/options.ts'
import type { JobResult } from '../engine-host/engine-supervisor.ts'
import type { EngineJob } from '../engine-host/messages.ts'
import { readExecuteRequest } from '../routes/execute-request.ts'
import { AnswerText } from '../streaming/answer-text.ts'
import { openLog } from '../telemetry/log.ts'
import { traceManifest } from './trace-manifest.ts'
import { type ModelFile, Worker } from './worker.ts'

export interface TraceRequest {
  /** As a body of POST /execute. */
  readonly request: unknown
  /** Below the request's own: a trace may be of the prompt alone. */
  readonly maxTokens: number
  readonly directory: string
  readonly level: TracedLevel
  readonly values: 'first8' | 'all'
  readonly unfused: boolean
  /** Positions of the prompt evaluated at once; undefined: as a served request's. */
  readonly prefillChunk?: number
}

export interface TraceSummary {
  readonly trace: string
  readonly prompt_token_ids: readonly number[]
  readonly token_ids: readonly number[]
  readonly text: string
  readonly stop_reason: string
  /** Why the trace ended before the generation did, or never began. */
  readonly trace_stopped?: string
}

/** Runs one generation in an engine process of its own, with its trace. */
export async function runTrace(options: OptionValues, model: ModelFile, trace: TraceRequest): Promise<TraceSummary> {
  const { log } = await openLog(options.logLevel === 'info' ? 'warn' : options.logLevel)
  const worker = new Worker(options, model, log)
  const failed = new Promise<PlumblineError>((resolve) => worker.engine.once('failed', resolve))
  const loaded = once(worker.engine, 'idle')
  worker.engine.start()
  const failure = await Promise.race([failed, loaded])
  if (failure instanceof PlumblineError) throw failure
  worker.shuttingDown = true
  try {
    const { engineJob } = await readExecuteRequest(trace.request, worker)
    const maxTokens = Math.min(engineJob.maxTokens, trace.maxTokens)
    const { prefillChunk } = trace
    return await generate(worker, { ...engineJob, maxTokens, ...(prefillChunk && { prefillChunk }) }, trace)
  } finally {
    await worker.engine.stop()
  }
}

async function generate(worker: Worker, job: EngineJob, trace: TraceRequest): Promise<TraceSummary> {
  const { level, directory, values, unfused } = trace
  const [weightsFingerprint] = await Promise.all([worker.weightsFingerprint(), worker.hashModel()])
  const manifest = traceManifest({
    modelName: worker.modelFile.name,
    modelSha256: worker.modelSha256,
    weightsFingerprint,
    info: worker.info!,
    tokenizer: { sha256: await worker.encoder!.sha256(), chatTemplate: worker.vocabulary!.chatTemplate?.source },
    job,
    level,
    unfused,
  })
  const text = new AnswerText([])
  const ids: number[] = []
  let answer = ''
  const result = await new Promise<JobResult>((resolve) =>
    worker.engine.generate(
      { ...job, trace: { directory, level, values, allPositionsLogits: true, manifest } },
      {
        onTokens: (tokens) => {
          for (const { id } of tokens) {
            ids.push(id)
            answer += text.push(worker.vocabulary!.textOf(id)).t
          }
        },
        onDone: resolve,
      },
    ),
  )
  if (result.error) throw result.error
  return {
    trace: directory,
    prompt_token_ids: job.promptTokenIds,
    token_ids: ids,
    text: answer + text.finish().t,
    stop_reason: result.stopReason,
    ...(result.traceStopped !== undefined && { trace_stopped: result.traceStopped }),
  }
}
