import type { Arrival } from './stream-timing.ts'

/**
 * An HTTP/1.1 answer (RFC 9112) to `connection: close`, as it came from the socket: its status, and its body without the framing of
 * chunks, each piece with the time at which its bytes came. Throws when the answer is none, or its chunks end early.
 */
export function readHttpAnswer(arrivals: readonly Arrival[]): { status: number; body: Arrival[] } {
  const raw = Buffer.concat(arrivals.map(({ bytes }) => bytes))
  const headBytes = raw.indexOf('\r\n\r\n') + 4
  const head = raw.toString('latin1', 0, headBytes)
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1])
  if (headBytes < 4 || Number.isNaN(status)) throw new Error(`no HTTP answer: ${raw.toString('latin1', 0, 200)}`)

  const body: Arrival[] = []
  let arrival = 0
  let arrivalStart = 0
  const keep = (start: number, end: number) => {
    for (let at = start; at < end; ) {
      while (at >= arrivalStart + arrivals[arrival]!.bytes.length) arrivalStart += arrivals[arrival++]!.bytes.length
      const stop = Math.min(end, arrivalStart + arrivals[arrival]!.bytes.length)
      body.push({ at: arrivals[arrival]!.at, bytes: raw.subarray(at, stop) })
      at = stop
    }
  }
  if (!/^transfer-encoding: *chunked\r$/im.test(head)) {
    keep(headBytes, raw.length)
    return { status, body }
  }
  for (let at = headBytes; ; ) {
    const lineEnd = raw.indexOf('\r\n', at)
    const bytes = lineEnd < 0 ? Number.NaN : Number.parseInt(raw.toString('latin1', at, lineEnd), 16)
    if (bytes === 0) return { status, body }
    if (!(lineEnd + 2 + bytes <= raw.length)) throw new Error('the answer ended in the middle')
    keep(lineEnd + 2, lineEnd + 2 + bytes)
    at = lineEnd + 2 + bytes + 2
  }
}
