import { allStreams, type Evidence } from '../evidence/evidence.ts'
import { type StreamRecord, streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import type { WorkerFailure } from '../worker-process/worker-failure.ts'

/** What went wrong, in one line, and what to do about it, in another. */
export interface Diagnosis {
  readonly cause: string
  readonly advice: string
  /** The last lines that the worker printed, when they are likely to say more. */
  readonly logTail: readonly string[]
}

/** Why a worker never got as far as a challenge. */
export function diagnoseFailure(failure: WorkerFailure): Diagnosis {
  const { facts } = failure
  const logTail = facts.logTail ?? []
  const advice = (): string => {
    switch (failure.kind) {
      case 'spawn':
        return 'Check --worker-command: the program must exist and be executable.'
      case 'exited':
        return `Its last words are below. By hand: ${facts.command}`
      case 'no-ready-line':
        return 'A worker prints {"event":"listening","url":…,"pid":…} on stdout before it loads. Is this a worker? Or raise --start-timeout.'
      case 'bad-ready-line':
        return `The line was: ${facts.line}. Only lifecycle lines belong on stdout; logs go to stderr.`
      case 'load-failed':
        return `The worker cannot serve this model (${facts.code}). Check --model, --device and --precision.`
      case 'not-healthy':
        return 'Raise --load-timeout if the model is large and progress was made; otherwise read the log below.'
      case 'unreachable':
        return 'Is a worker running there? Check --url.'
      case 'interrupted':
        return 'Nothing is left running.'
    }
  }
  return { cause: failure.message, advice: advice(), logTail }
}

/** Why streams did not come to their proper end; undefined when all did, or when the checks say all there is to say. */
export function diagnoseStreams(evidence: Evidence): Diagnosis | undefined {
  const broken = allStreams(evidence).find((stream) => viewStream(stream).end === undefined)
  if (broken === undefined) return undefined
  const before = evidence.healthBefore.health
  const after = evidence.healthAfter?.health
  const restarts = before !== undefined && after !== undefined ? after.engine.restarts - before.engine.restarts : 0
  const workerState =
    evidence.workerEnd !== undefined
      ? `the worker ended (${evidence.workerEnd.how})`
      : evidence.healthAfter === undefined
        ? 'the worker no longer answers'
        : restarts > 0
          ? 'the engine process was replaced meanwhile'
          : `the worker still answers (${after?.status ?? `HTTP ${evidence.healthAfter.status}`})`
  return {
    cause: `${streamName(broken)}: ${whatHappened(broken)}; ${workerState}`,
    advice: whatToDo(broken),
    logTail: evidence.workerEnd?.logTail ?? [],
  }
}

function whatHappened(stream: StreamRecord): string {
  const { error, tokens } = viewStream(stream)
  const after = `after ${tokens.length} tokens and ${(stream.endedMs / 1000).toFixed(1)} s`
  if (stream.status !== null && stream.status !== 200)
    return `the request was refused with HTTP ${stream.status}: ${stream.refusal}`
  if (error !== undefined) return `${after} the worker gave up: ${error.code}, ${error.message}`
  switch (stream.close.how) {
    case 'broken':
      return `${stream.status === null ? 'no answer' : 'the connection closed mid-stream'} ${after} (${stream.close.message})`
    case 'timed-out':
      return `${after} the stream had no end yet, and the harness hung up`
    case 'flooded':
      return `${after} the stream held more than ${stream.close.limit}, and the harness hung up`
    case 'complete':
      return `the body ended ${after} without a terminal event`
  }
}

function whatToDo(stream: StreamRecord): string {
  const { error } = viewStream(stream)
  if (stream.status !== null && stream.status !== 200)
    return 'The worker does not take a request that the protocol allows: see its answer.'
  if (error !== undefined) return 'See worker.log for what the worker says about this job.'
  switch (stream.close.how) {
    case 'broken':
      return 'See worker.log: a worker must end each admitted stream with end or error, also when its engine dies.'
    case 'timed-out':
      return 'See worker.log for a stalled engine, or raise --stream-timeout for a slow one.'
    case 'flooded':
      return 'Nobody asked for so much. The beginning is in sse_transcript.ndjson.'
    case 'complete':
      return 'The protocol wants exactly one end or error event as the last frame: see sse_transcript.ndjson.'
  }
}
