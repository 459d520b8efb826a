import type { ServerResponse } from 'node:http'
import { type ErrorCode, PlumblineError, type StreamEvent } from '@plumbline/protocol'
import type { JobResult, JobSink } from '../engine-host/engine-supervisor.ts'
import type { EngineJob } from '../engine-host/messages.ts'
import type { SampledToken } from '../engine-host/token-batch.ts'
import { EventStream, type EventStreamOptions } from '../server/event-stream.ts'
import { AnswerText } from '../streaming/answer-text.ts'
import type { Metrics, Outcome } from '../telemetry/metrics.ts'

/** What the access log says about a job. */
export interface JobReport {
  readonly job_id: string
  readonly prompt_tokens: number
  outcome: Outcome
  tokens_out: number
  queue_ms?: number
  first_token_ms?: number
  prefill_ms?: number
  decode_ms?: number
  stop_reason?: string
  error_code?: ErrorCode
}

export interface JobDescription {
  readonly id: string
  readonly model: string
  readonly device: string
  readonly engineJob: EngineJob
  readonly stop: readonly string[]
  /** The bytes that a token adds to the answer. */
  readonly decodeBytes: (id: number) => Uint8Array
  readonly timeoutMs: number
  readonly stream: EventStreamOptions
}

/** What a job needs of the queue that it is in. */
export interface JobOwner {
  /** The job wants no more of the engine: out of the queue, or out of the engine between two tokens. */
  withdraw(job: Job): void
  /** The client has had its last byte, or is gone. */
  closed(job: Job): void
}

const OUTCOMES: Partial<Record<ErrorCode, Outcome>> = {
  CANCELLED: 'cancelled',
  INFERENCE_TIMEOUT: 'timed_out',
  SHUTTING_DOWN: 'shut_down',
  ENGINE_CRASHED: 'engine_lost',
  ENGINE_STALLED: 'engine_lost',
}

/**
 * One admitted request, between the engine and its client. Its stream and its place at the engine have each their own end: a
 * client may still be reading when the engine is at the next job, and may be gone while the engine stops.
 */
export class Job implements JobSink {
  readonly id: string
  readonly report: JobReport
  readonly engineJob: EngineJob
  readonly #description: JobDescription
  readonly #text: AnswerText
  readonly #metrics: Metrics
  readonly #owner: JobOwner
  readonly #stream: EventStream
  readonly #admittedAt = performance.now()
  #timeout: NodeJS.Timeout | undefined
  #lastTokenAt: number | undefined
  #stopMatched: string | undefined
  #clientGoneAt: number | undefined

  /** Admits it: the client gets its headers. */
  constructor(
    description: JobDescription,
    metrics: Metrics,
    owner: JobOwner,
    response: ServerResponse,
    headers: Record<string, string>,
  ) {
    this.id = description.id
    this.engineJob = description.engineJob
    this.#description = description
    this.#text = new AnswerText(description.stop)
    this.#metrics = metrics
    this.#owner = owner
    this.report = {
      job_id: this.id,
      prompt_tokens: this.engineJob.promptTokenIds.length,
      outcome: 'client_disconnected',
      tokens_out: 0,
    }
    this.#stream = new EventStream(response, headers, description.stream, {
      onStalled: () => this.#onStalled(),
      onClosed: (delivered) => this.#onClosed(delivered),
    })
  }

  /** It has left the queue. */
  start(): void {
    const { model, device, engineJob, timeoutMs } = this.#description
    this.report.queue_ms = Math.round(performance.now() - this.#admittedAt)
    this.#metrics.queueWait.observe((performance.now() - this.#admittedAt) / 1_000)
    this.#metrics.tokensIn.inc(engineJob.promptTokenIds.length)
    this.#timeout = setTimeout(() => {
      const limit = `the job was still computing after ${timeoutMs / 1_000} s`
      this.fail(new PlumblineError('INFERENCE_TIMEOUT', limit))
    }, timeoutMs)
    this.#stream.send({
      type: 'started',
      job_id: this.id,
      model,
      started_at: new Date().toISOString(),
      seed: engineJob.sampling.seed,
      prompt_tokens: engineJob.promptTokenIds.length,
      max_tokens: engineJob.maxTokens,
      device,
    })
  }

  onTokens(tokens: readonly SampledToken[]): void {
    const events: StreamEvent[] = []
    for (const token of tokens) {
      // After a stop string the engine may have sampled on until it heard of it.
      if (this.#stream.ended || this.#stream.closed || this.#stopMatched !== undefined) break
      if (token.index !== this.report.tokens_out) {
        const what = `the engine sent token ${token.index} where token ${this.report.tokens_out} was due`
        this.fail(new PlumblineError('INTERNAL', what))
        return
      }
      this.#countToken()
      const { t, stopped } = this.#text.push(this.#description.decodeBytes(token.id))
      const { logprob, top } = token
      events.push({
        type: 'token',
        i: token.index,
        token_id: token.id,
        t,
        ...(logprob !== undefined && { logprob }),
        ...(top && { top: top.map((other) => ({ token_id: other.id, logprob: other.logprob })) }),
      })
      if (stopped !== undefined) {
        this.#stopMatched = stopped
        this.#owner.withdraw(this)
      }
    }
    this.#stream.send(...events)
  }

  onDone(result: JobResult): void {
    clearTimeout(this.#timeout)
    if (this.#clientGoneAt !== undefined) {
      this.#metrics.disconnectStop.observe((performance.now() - this.#clientGoneAt) / 1_000)
    }
    this.report.prefill_ms = Math.round(result.prefillMs)
    this.report.decode_ms = Math.round(result.decodeMs)
    if (this.#stream.ended || this.#stream.closed) return
    if (result.error) {
      this.fail(result.error)
      return
    }
    const last = this.#stopMatched === undefined ? this.#text.finish() : { t: '', stopped: this.#stopMatched }
    const stopReason = last.stopped === undefined ? result.stopReason : 'STOP_SEQUENCE'
    if (stopReason === 'CANCELLED' || stopReason === 'ERROR') {
      this.fail(new PlumblineError('INTERNAL', `the engine ended the job with ${stopReason} and gave no reason`))
      return
    }
    this.report.outcome = 'completed'
    this.report.stop_reason = stopReason
    this.#stream.send({
      type: 'end',
      tokens_out: this.report.tokens_out,
      t: last.t,
      decode_time_ms: result.decodeMs,
      prefill_time_ms: result.prefillMs,
      stop_reason: stopReason,
      ...(last.stopped !== undefined && { stop_sequence_matched: last.stopped }),
    })
  }

  /** Ends the stream with an error, now, wherever the job is. */
  fail(error: PlumblineError): void {
    if (this.#stream.ended || this.#stream.closed) return
    this.report.outcome = OUTCOMES[error.code] ?? 'engine_error'
    this.report.error_code = error.code
    clearTimeout(this.#timeout)
    const { code, message, retriable } = error.toBody()
    this.#stream.send({ type: 'error', code, message, retriable })
    this.#owner.withdraw(this)
  }

  /** Cuts the connection, whatever is still to be sent. */
  destroy(): void {
    this.#stream.destroy()
  }

  #countToken(): void {
    const now = performance.now()
    if (this.#lastTokenAt === undefined) {
      this.report.first_token_ms = Math.round(now - this.#admittedAt)
      this.#metrics.timeToFirstToken.observe((now - this.#admittedAt) / 1_000)
    } else {
      this.#metrics.interToken.observe((now - this.#lastTokenAt) / 1_000)
    }
    this.#lastTokenAt = now
    this.report.tokens_out++
    this.#metrics.tokensOut.inc()
  }

  #onStalled(): void {
    this.report.outcome = 'client_stalled'
    const seconds = this.#description.stream.stallMs / 1_000
    const error = new PlumblineError('CANCELLED', `the client took nothing for ${seconds} s`)
    const { code, message, retriable } = error.toBody()
    this.#stream.lastWord({ type: 'error', code, message, retriable })
    this.#abandon()
  }

  #onClosed(delivered: boolean): void {
    if (!delivered) {
      if (this.report.outcome === 'completed') this.report.outcome = 'client_disconnected'
      this.#abandon()
    }
    this.#owner.closed(this)
  }

  /** The client is gone, or as good as gone. */
  #abandon(): void {
    clearTimeout(this.#timeout)
    this.#clientGoneAt ??= performance.now()
    this.#owner.withdraw(this)
  }
}
