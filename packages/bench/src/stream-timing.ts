/** A piece of a response's body and when it came, in milliseconds since the request. */
export interface Arrival {
  readonly at: number
  readonly bytes: Uint8Array
}

export interface StreamTiming {
  readonly firstTokenMs: number
  readonly tokens: number
  /** Of the tokens after those that came first; undefined when these are less than half, so that there is little to time. */
  readonly tokensPerSecond: number | undefined
}

/**
 * Reads the times out of a recorded stream, once it is over: whoever reads frames while they come takes the time of the cores that
 * make them. `frame` (global) matches in each frame of tokens; its group, if it has one, is the number of tokens so far, for a server
 * that does not send a frame for each.
 */
export function timeStream(arrivals: readonly Arrival[], frame: RegExp): StreamTiming {
  // One character a byte, so that places in the text are places in the bytes.
  const text = Buffer.concat(arrivals.map(({ bytes }) => bytes)).toString('latin1')
  const frames: { at: number; tokens: number }[] = []
  let piece = 0
  let end = arrivals[0]?.bytes.length ?? 0
  for (const match of text.matchAll(frame)) {
    while (end < match.index + match[0].length) end += arrivals[++piece]!.bytes.length
    frames.push({ at: arrivals[piece]!.at, tokens: match[1] === undefined ? frames.length + 1 : Number(match[1]) })
  }
  const [first] = frames
  const last = frames.at(-1)
  if (first === undefined || last === undefined) throw new Error(`the stream has no token: ${text.slice(0, 300)}`)
  const atFirst = frames.findLast(({ at }) => at === first.at)!.tokens
  const later = last.tokens - atFirst
  return {
    firstTokenMs: first.at,
    tokens: last.tokens,
    tokensPerSecond: later < last.tokens / 2 ? undefined : (later / (last.at - first.at)) * 1e3,
  }
}
