import { type ExecuteRequestBody, LIMITS } from '@plumbline/protocol'
import { createParser } from 'eventsource-parser'
import { request } from 'undici'
import { type Endpoint, errorLine } from './http.ts'
import type { Frame, StreamClose, StreamPurpose, StreamRecord } from './stream-record.ts'

const REFUSAL_CHARACTERS = 2_000
/** Far more than 2,048 tokens with 20 log-probabilities each: a stream that goes on for ever ends here. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024
/** Frames beyond the tokens asked for, which are an event each: `started`, `end`, pings. Each costs much more memory than its bytes. */
const SPARE_FRAMES = 10_000

class Flooded extends Error {}

export interface RecordStreamOptions {
  readonly endpoint: Endpoint
  readonly purpose: StreamPurpose
  readonly attempt: number
  readonly body: ExecuteRequestBody
  /** How long the stream may take from its request to its last byte. */
  readonly timeoutMs: number
  /** Ends the recording at once; what arrived so far is kept. */
  readonly signal: AbortSignal
  readonly onFrame?: (frame: Frame) => void
}

/**
 * Sends one POST /execute and writes down everything that comes back, as it comes back. It judges nothing and does not
 * throw for anything that a worker can do: a refusal, a broken connection and silence are part of the record.
 */
export async function recordStream(options: RecordStreamOptions): Promise<StreamRecord> {
  const frames: Frame[] = []
  const sentAt = new Date().toISOString()
  const start = performance.now()
  const now = () => performance.now() - start
  const maxFrames = (options.body.max_tokens ?? LIMITS.maxTokens) + SPARE_FRAMES
  // Frames that come in one read arrived together.
  let arrivedMs = 0

  const deadline = AbortSignal.timeout(options.timeoutMs)
  let status: number | null = null
  let contentType: string | null = null
  let refusal: string | null = null
  let tail = ''
  let close: StreamClose
  try {
    const response = await request(new URL('/execute', options.endpoint.baseUrl), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        ...(options.endpoint.token === undefined ? {} : { authorization: `Bearer ${options.endpoint.token}` }),
      },
      body: JSON.stringify(options.body),
      signal: AbortSignal.any([deadline, options.signal]),
      // The deadline above is the only one.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    status = response.statusCode
    contentType = headerValue(response.headers['content-type'])
    if (status !== 200) {
      refusal = ''
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        refusal = (refusal + chunk.toString('latin1')).slice(0, REFUSAL_CHARACTERS)
        if (refusal.length === REFUSAL_CHARACTERS) break // ends the request
      }
      refusal = Buffer.from(refusal, 'latin1').toString('utf8')
    } else {
      const record = (frame: Frame) => {
        if (frames.length === maxFrames) throw new Flooded(`${maxFrames} frames`)
        frames.push(frame)
        options.onFrame?.(frame)
      }
      const parser = createParser({
        onEvent: ({ id, event, data }) =>
          record({ ms: arrivedMs, kind: 'event', id: id ?? null, event: event ?? null, data }),
        onComment: (text) => {
          const last = frames.at(-1)
          if (last?.kind === 'comment') last.count++
          else record({ ms: arrivedMs, kind: 'comment', text, count: 1 })
        },
        onError: (error) => record({ ms: arrivedMs, kind: 'malformed', text: error.message }),
      })
      const decoder = new TextDecoder('utf-8', { fatal: true })
      const notUtf8 = () => record({ ms: arrivedMs, kind: 'malformed', text: 'bytes that are not UTF-8' })
      let received = 0
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        arrivedMs = now()
        received += chunk.length
        if (received > MAX_STREAM_BYTES) throw new Flooded(`${MAX_STREAM_BYTES} bytes`)
        let text: string
        try {
          text = decoder.decode(chunk, { stream: true })
        } catch {
          notUtf8()
          continue
        }
        tail = (tail + text).slice(-4)
        parser.feed(text)
      }
      try {
        decoder.decode()
      } catch {
        notUtf8() // it ends in the middle of a character
      }
    }
    close = { how: 'complete' }
  } catch (error) {
    close =
      error instanceof Flooded
        ? { how: 'flooded', limit: error.message }
        : deadline.aborted
          ? { how: 'timed-out', afterMs: options.timeoutMs }
          : { how: 'broken', message: errorLine(error) }
  }
  return {
    purpose: options.purpose,
    attempt: options.attempt,
    request: options.body,
    sentAt,
    status,
    contentType,
    refusal,
    frames,
    endsOnFrame: /(\r\n|\n|\r)(\r\n|\n|\r)$/.test(tail),
    close,
    endedMs: now(),
  }
}

function headerValue(value: string | string[] | undefined): string | null {
  return Array.isArray(value) ? value.join(', ') : (value ?? null)
}
