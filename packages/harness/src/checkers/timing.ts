import { allStreams } from '../evidence/evidence.ts'
import { streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, fail, notMeasurable, pass } from './check.ts'

/** Two clocks of one machine, read one after the other, and rounded. */
const CLOCK_MS = 50
/** A clock may be set while a stream is under way. */
const CLOCK_SET_MS = 2_000
/** What came may have come so much later than it was made, on a busy machine. */
const LATE_FACTOR = 2
const LATE_MS = 1_000

/** The times that a worker tells are those that were seen: it cannot have computed for longer than it was asked, nor much shorter than it streamed. */
export const timingCheck: Check = {
  name: 'timing',
  fromInside: false,
  run(evidence) {
    const expected =
      'prefill_time_ms and decode_time_ms fit into the time from request to end, the tokens came within ' +
      `${LATE_FACTOR} x decode_time_ms + ${LATE_MS} ms, and started_at lies between request and started`
    const streams = allStreams(evidence)
    let largest = 0
    for (const stream of streams) {
      const here = `${streamName(stream)}: `
      const { started, end, events, arrivals } = viewStream(stream)
      if (started === undefined || end === undefined) return notMeasurable(expected, `${here}no end event`)
      const endMs = events.at(-1)!.ms
      const claimed = `prefill ${end.prefill_time_ms.toFixed(0)} ms, decode ${end.decode_time_ms.toFixed(0)} ms`
      if (end.prefill_time_ms + end.decode_time_ms > endMs + CLOCK_MS) {
        return fail(expected, `${here}${claimed}, and ${endMs.toFixed(0)} ms from request to end`)
      }
      const cameMs = endMs - (arrivals[0] ?? endMs)
      largest = Math.max(largest, cameMs - end.decode_time_ms)
      if (cameMs > LATE_FACTOR * end.decode_time_ms + LATE_MS + (stream.heldUpMs ?? 0)) {
        return fail(expected, `${here}${claimed}, and the tokens came for ${cameMs.toFixed(0)} ms`)
      }
      // Only a worker on this machine has this machine's clock.
      if (!evidence.spawned) continue
      const startedMs = Date.parse(started.started_at) - Date.parse(stream.sentAt)
      if (startedMs < -CLOCK_SET_MS || startedMs > events[0]!.ms + CLOCK_SET_MS) {
        return fail(
          expected,
          `${here}started_at is ${startedMs} ms after the request, seen ${events[0]!.ms} ms after it`,
        )
      }
    }
    return pass(expected, `tokens came for at most ${largest.toFixed(0)} ms longer than they were made`)
  },
}
