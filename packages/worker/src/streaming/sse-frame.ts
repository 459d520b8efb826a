import type { StreamEvent } from '@plumbline/protocol'

/**
 * One event of a text/event-stream (WHATWG HTML, "Server-sent events"). JSON has no raw line breaks, so the data is one line.
 *
 * @param id 0, 1, 2, … over the events of a stream
 */
export function encodeSseFrame(id: number, event: StreamEvent): string {
  return `event: ${event.type}\nid: ${id}\ndata: ${JSON.stringify(event)}\n\n`
}

/** A line that clients ignore, and that keeps proxies from closing a quiet connection. */
export const SSE_PING = ': ping\n\n'
