import type { ServerResponse } from 'node:http'
import type { StreamEvent, TokenEvent } from '@plumbline/protocol'
import { type ErrorCode, PlumblineError } from '@plumbline/protocol/errors'
import type { JobResult, JobSink } from '../engine-host/engine-supervisor.ts'
import type { EngineJob } from '../engine-host/messages.ts'
import type { SampledToken } from '../engine-host/token-batch.ts'
import { type EventSource, EventStream, type EventStreamOptions } from '../server/event-stream.ts'
import { AnswerText } from '../streaming/answer-text.ts'
import type { TokenText } from '../streaming/utf8-assembler.ts'
import type { Metrics, Outcome } from '../telemetry/metrics.ts'
import { TokenBacklog } from './token-backlog.ts'

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
  /** What a token adds to the answer. */
  readonly textOf: (id: number) => TokenText
  readonly timeoutMs: number
  readonly stream: EventStreamOptions
  /** The trace ended before the generation did, or never began. */
  readonly onTraceStopped: (why: string) => void
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
 * One admitted request, between the engine and its client. Tokens wait here, in few bytes, until the client takes them. A job's place at
 * the engine and its stream have each their own end: a client may still be reading when the engine is at the next job, and may be
 * gone while the engine stops.
 */
export class Job implements JobSink, EventSource {
  readonly id: string
  readonly report: JobReport
  readonly engineJob: EngineJob
  readonly #description: JobDescription
  readonly #metrics: Metrics
  readonly #owner: JobOwner
  readonly #text: AnswerText
  readonly #stream: EventStream
  readonly #admittedAt = performance.now()
  #started: StreamEvent | undefined
  readonly #tokens = new TokenBacklog()
  #tokensReceived = 0
  /** How the engine ended the job. */
  #result: JobResult | undefined
  /** Why the job ended otherwise than by its result. */
  #error: PlumblineError | undefined
  #stopMatched: string | undefined
  /** The terminal event has been made. */
  #over = false
  #timeout: NodeJS.Timeout | undefined
  #lastTokenAt: number | undefined
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
    this.#metrics = metrics
    this.#owner = owner
    this.#text = new AnswerText(description.stop)
    this.report = {
      job_id: this.id,
      prompt_tokens: this.engineJob.promptTokenIds.length,
      outcome: 'client_disconnected',
      tokens_out: 0,
    }
    this.#stream = new EventStream(response, headers, description.stream, this)
  }

  /** It has left the queue. */
  start(): void {
    const { model, device, engineJob, timeoutMs } = this.#description
    const waitedMs = performance.now() - this.#admittedAt
    this.report.queue_ms = Math.round(waitedMs)
    this.#metrics.queueWait.observe(waitedMs / 1_000)
    this.#metrics.tokensIn.inc(engineJob.promptTokenIds.length)
    this.#timeout = setTimeout(() => {
      const message = `the job was still computing after ${timeoutMs / 1_000} s`
      this.fail(new PlumblineError('INFERENCE_TIMEOUT', message))
    }, timeoutMs)
    this.#started = {
      type: 'started',
      job_id: this.id,
      model,
      started_at: new Date().toISOString(),
      seed: engineJob.sampling.seed,
      prompt_tokens: engineJob.promptTokenIds.length,
      max_tokens: engineJob.maxTokens,
      device,
    }
    this.#stream.wake()
  }

  onTokens(tokens: readonly SampledToken[]): void {
    // After a stop string, or when nobody listens, the engine samples on until it hears of it.
    if (this.#error || this.#stopMatched !== undefined || this.#stream.closed) return
    for (const token of tokens) {
      if (token.index !== this.#tokensReceived) {
        const what = `the engine sent token ${token.index} where token ${this.#tokensReceived} was due`
        this.fail(new PlumblineError('INTERNAL', what))
        return
      }
      this.#tokensReceived++
      try {
        this.#tokens.push(token)
      } catch (error) {
        const what = `there is no room for tokens that the client has not taken: ${(error as Error).message}`
        this.fail(new PlumblineError('OVERLOADED', what))
        return
      }
    }
    this.#stream.wake()
  }

  onDone(result: JobResult): void {
    clearTimeout(this.#timeout)
    if (this.#clientGoneAt !== undefined) {
      this.#metrics.disconnectStop.observe((performance.now() - this.#clientGoneAt) / 1_000)
    }
    this.report.prefill_ms = Math.round(result.prefillMs)
    this.report.decode_ms = Math.round(result.decodeMs)
    if (result.traceStopped !== undefined) this.#description.onTraceStopped(result.traceStopped)
    if (this.#error) return
    if (result.error) this.fail(result.error)
    this.#result = result
    this.#stream.wake()
  }

  /** Ends the job with an error, wherever it is; the tokens that are already here still come first. */
  fail(error: PlumblineError): void {
    if (this.#error || this.#over || this.#stream.closed) return
    this.#error = error
    clearTimeout(this.#timeout)
    this.#owner.withdraw(this)
    this.#stream.wake()
  }

  /** A stop string has been met: the engine's part ends early, but as it should. */
  get complete(): boolean {
    return this.#stopMatched !== undefined
  }

  /** Cuts the connection, whatever is still to be sent. */
  destroy(): void {
    this.#stream.destroy()
  }

  nextEvent(): StreamEvent | undefined {
    if (this.#started) {
      const started = this.#started
      this.#started = undefined
      return started
    }
    const token = this.#stopMatched === undefined ? this.#tokens.shift() : undefined
    if (token) {
      try {
        return this.#tokenEvent(token)
      } catch (error) {
        // A token that has no text, as a damaged vocabulary may have them.
        this.#tokens.clear()
        this.fail(PlumblineError.from(error))
      }
    }
    if (this.#error) return this.#errorEvent(this.#error)
    if (this.#result) return this.#endEvent(this.#result)
    return undefined
  }

  onStalled(): void {
    this.report.outcome = 'client_stalled'
    this.#giveUp(`the client took nothing for ${this.#description.stream.stallMs / 1_000} s`)
  }

  /**
   * A client that sends nothing any more is gone, in all likelihood: a connection that is closed at one end and one that is closed
   * at both look alike until something is sent, and a job that waits or evaluates a long prompt sends nothing for long. So its job
   * ends, with its terminal event for the client that still reads.
   */
  onHalfClosed(): void {
    if (!this.#over) this.#giveUp('the client ended its side of the connection')
  }

  onClosed(delivered: boolean): void {
    this.#tokens.clear()
    if (!delivered) {
      if (this.report.outcome === 'completed') this.report.outcome = 'client_disconnected'
      this.#abandon()
    }
    this.#owner.closed(this)
  }

  #tokenEvent({ index, id, logprob, top }: SampledToken): TokenEvent {
    const { t, stopped } = this.#text.push(this.#description.textOf(id))
    this.#countToken()
    if (stopped !== undefined) {
      this.#stopMatched = stopped
      this.#tokens.clear()
      this.#owner.withdraw(this)
    }
    const event = { type: 'token', i: index, token_id: id, t } as const
    if (logprob === undefined) return event
    const alternatives = top?.map((other) => ({ token_id: other.id, logprob: other.logprob }))
    return { ...event, logprob, ...(alternatives && { top: alternatives }) }
  }

  #endEvent({ stopReason, prefillMs, decodeMs }: JobResult): StreamEvent {
    const last = this.#stopMatched === undefined ? this.#text.finish() : { t: '', stopped: this.#stopMatched }
    const reason = last.stopped === undefined ? stopReason : 'STOP_SEQUENCE'
    if (reason === 'CANCELLED' || reason === 'ERROR') {
      return this.#errorEvent(new PlumblineError('INTERNAL', `the engine ended the job with ${reason} unasked`))
    }
    this.#over = true
    this.report.outcome = 'completed'
    this.report.stop_reason = reason
    return {
      type: 'end',
      tokens_out: this.report.tokens_out,
      t: last.t,
      decode_time_ms: decodeMs,
      prefill_time_ms: prefillMs,
      stop_reason: reason,
      ...(last.stopped !== undefined && { stop_sequence_matched: last.stopped }),
    }
  }

  #errorEvent({ code, message, retriable }: PlumblineError): StreamEvent {
    this.#over = true
    this.report.outcome = OUTCOMES[code] ?? 'engine_error'
    this.report.error_code = code
    return { type: 'error', code, message, retriable }
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
    this.#metrics.tokensOut++
  }

  #giveUp(why: string): void {
    const { code, message, retriable } = new PlumblineError('CANCELLED', why)
    this.#stream.lastWord({ type: 'error', code, message, retriable })
    this.#abandon()
  }

  /** The client is gone, or as good as gone. */
  #abandon(): void {
    clearTimeout(this.#timeout)
    this.#tokens.clear()
    this.#clientGoneAt ??= performance.now()
    this.#owner.withdraw(this)
  }
}
