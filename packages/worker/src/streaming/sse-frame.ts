import type { StreamEvent } from '@plumbline/protocol'

/**
 * One event of a text/event-stream (WHATWG HTML, "Server-sent events"). JSON has no raw line breaks, so the data is one line.
 *
 * @param id 0, 1, 2, … over the events of a stream
 */
export function encodeSseFrame(id: number, event: StreamEvent): string {
  if (event.type === 'token' && event.logprob === undefined) {
    // What JSON.stringify makes of the whole event, in a third of the time: nearly all frames are of this kind.
    const { i, token_id, t } = event
    return `event: token\nid: ${id}\ndata: {"type":"token","i":${i},"token_id":${token_id},"t":${JSON.stringify(t)}}\n\n`
  }
  return `event: ${event.type}\nid: ${id}\ndata: ${JSON.stringify(event)}\n\n`
}

/** A line that clients ignore, and that keeps proxies from closing a quiet connection. */
export const SSE_PING = ': ping\n\n'
