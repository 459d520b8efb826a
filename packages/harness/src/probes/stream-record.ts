import type { ExecuteRequestBody } from '@plumbline/protocol'
import type { CpuSample } from './cpu-timeline.ts'

/** One thing that arrived on an event stream, with its arrival time in milliseconds after the request was sent. */
export type Frame =
  | { ms: number; kind: 'event'; id: string | null; event: string | null; data: string }
  | { ms: number; kind: 'comment'; text: string }
  | { ms: number; kind: 'malformed'; text: string }

export type StreamPurpose = 'haiku' | 'repeat' | 'probe'

/** How the HTTP exchange came to its end. */
export type StreamClose =
  /** The body ended as HTTP says it must. */
  | { how: 'complete' }
  /** The connection went away before the body had ended, or never was there. */
  | { how: 'broken'; message: string }
  /** The harness hung up: nothing more within its deadline. */
  | { how: 'timed-out'; afterMs: number }

/** Everything that was seen of one POST /execute: the raw material of the checkers. */
export interface StreamRecord {
  readonly purpose: StreamPurpose
  /** 1, 2, 3: which challenge this stream belongs to. */
  readonly attempt: number
  readonly request: ExecuteRequestBody
  /** ISO 8601, UTC */
  readonly sentAt: string
  /** null when no answer came */
  readonly status: number | null
  readonly contentType: string | null
  /** The beginning of the body, when the status is not 200. */
  readonly refusal: string | null
  readonly frames: readonly Frame[]
  /** Whether the last thing received was the blank line that closes a frame. */
  readonly endsOnFrame: boolean
  readonly close: StreamClose
  readonly endedMs: number
  /** Of that time, how long the harness itself was kept from running, and so from reading; where it was measured. */
  readonly heldUpMs?: number
  /** The CPU time of the engine meanwhile, where it was followed. */
  readonly engineCpu?: readonly CpuSample[]
}

/** How a stream is called in reports. */
export function streamName(record: Pick<StreamRecord, 'purpose' | 'attempt'>): string {
  const names = { haiku: 'haiku', repeat: 'same seed again', probe: 'stream probe' }
  return record.attempt > 1 ? `${names[record.purpose]} (attempt ${record.attempt})` : names[record.purpose]
}
