import {
  type EndEvent,
  type ErrorEvent,
  isTerminal,
  type StartedEvent,
  type StreamEvent,
  streamEventSchema,
  type TokenEvent,
} from '@plumbline/protocol'
import type { StreamRecord } from './stream-record.ts'

/** A stream record, read: the events that its frames hold and what was wrong with the frames that hold none. */
export interface StreamView {
  readonly record: StreamRecord
  /** In order of arrival. */
  readonly events: readonly { ms: number; id: string | null; event: StreamEvent }[]
  /** Frames that are not what the protocol allows, each in words. */
  readonly problems: readonly string[]
  readonly started: StartedEvent | undefined
  readonly tokens: readonly TokenEvent[]
  /** Arrival times of `tokens`, in milliseconds after the request. */
  readonly arrivals: readonly number[]
  readonly tokenIds: readonly number[]
  readonly end: EndEvent | undefined
  readonly error: ErrorEvent | undefined
  /** All `t` joined: the answer as a client has it. */
  readonly text: string
}

/** Reads the frames of a record. Pure; a frame that does not parse becomes a problem, never an exception. */
export function viewStream(record: StreamRecord): StreamView {
  const events: { ms: number; id: string | null; event: StreamEvent }[] = []
  const problems: string[] = []
  record.frames.forEach((frame, index) => {
    if (frame.kind === 'comment') return
    if (frame.kind === 'malformed') {
      problems.push(`frame ${index}: ${frame.text}`)
      return
    }
    const parsed = streamEventSchema.safeParse(parseJson(frame.data))
    if (!parsed.success) {
      const issue = parsed.error.issues[0]
      problems.push(`frame ${index} (event ${frame.event}): ${issue?.path.join('.') || 'data'}: ${issue?.message}`)
      return
    }
    if (frame.event !== parsed.data.type) {
      problems.push(`frame ${index}: event is ${frame.event}, and its data says type ${parsed.data.type}`)
    }
    events.push({ ms: frame.ms, id: frame.id, event: parsed.data })
  })

  const tokenEvents = events.flatMap(({ ms, event }) => (event.type === 'token' ? [{ ms, event }] : []))
  const tokens = tokenEvents.map(({ event }) => event)
  const terminal = events.map(({ event }) => event).find(isTerminal)
  return {
    record,
    events,
    problems,
    started: events.map(({ event }) => event).find((event) => event.type === 'started'),
    tokens,
    arrivals: tokenEvents.map(({ ms }) => ms),
    tokenIds: tokens.map((token) => token.token_id),
    end: terminal?.type === 'end' ? terminal : undefined,
    error: terminal?.type === 'error' ? terminal : undefined,
    text: tokens.map((token) => token.t).join('') + (terminal?.type === 'end' ? terminal.t : ''),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
