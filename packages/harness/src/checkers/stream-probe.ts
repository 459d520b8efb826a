import { viewStream } from '../probes/stream-view.ts'
import { type Check, judge, notMeasurable } from './check.ts'

/** The time from request to end is cut into this many equal slices. */
const SLICES = 20
/** Of the slices, how many must see a token arrive, and what share of the tokens one of them may hold. */
const LEAST_SLICES = 10
const LARGEST_SHARE = 0.5
/** Below these, slices are shorter than what sockets and timers resolve, or hold too few tokens. */
const LEAST_MS = 100
const LEAST_TOKENS = 64

/**
 * Tokens come as they are made. The time from the request to its end is cut into 20 slices: tokens must arrive in at
 * least ten of them, and no slice may hold more than half of all tokens. A stream that is made first and sent then fills one or
 * two slices; a real one fills nearly all, and still passes when a busy machine stops it for a third of the time.
 * With a worker that others use too, the time counts from `started`: before that, a request may wait its turn.
 */
export const streamProbeCheck: Check = {
  name: 'stream-probe',
  fromInside: false,
  run({ probe, spawned }) {
    const expected =
      `tokens arrive in at least ${LEAST_SLICES} of ${SLICES} equal slices of the time from request to end, ` +
      `at most ${LARGEST_SHARE * 100} % of them in one`
    if (probe === undefined) return notMeasurable(expected, 'no probe was made')
    const { arrivals, events, end } = viewStream(probe)
    const endMs = events.at(-1)?.ms
    if (end === undefined || endMs === undefined) return notMeasurable(expected, 'the probe has no end event')
    const fromMs = spawned ? 0 : events[0]!.ms
    const duration = endMs - fromMs
    const told = `${arrivals.length} tokens in ${duration.toFixed(0)} ms`
    if (duration < LEAST_MS || arrivals.length < LEAST_TOKENS) {
      return notMeasurable(expected, `${told}: too quick to tell`)
    }
    const slices = new Array<number>(SLICES).fill(0)
    for (const ms of arrivals) {
      const slice = Math.min(SLICES - 1, Math.floor(((ms - fromMs) / duration) * SLICES))
      slices[slice] = slices[slice]! + 1
    }
    const filled = slices.filter((count) => count > 0).length
    const largest = Math.max(...slices) / arrivals.length
    const seen = `${told}, in ${filled} of ${SLICES} slices, at most ${(largest * 100).toFixed(0)} % in one`
    return judge(filled >= LEAST_SLICES && largest <= LARGEST_SHARE, expected, seen)
  },
}
