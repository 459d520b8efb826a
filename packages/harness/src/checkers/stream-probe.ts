import type { StreamRecord } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, type Finding, fail, notMeasurable, pass } from './check.ts'

/** The time from request to end is cut into this many equal slices. */
const SLICES = 20
/** Of the slices, how many must see a token arrive, and what share of the tokens one of them may hold. */
const LEAST_SLICES = 10
const LARGEST_SHARE = 0.5
/** Below these, slices are shorter than what sockets and timers resolve, or hold too few tokens. */
const LEAST_MS = 100
const LEAST_TOKENS = 64

/** A slice of a shorter stream is not longer than the pauses that a busy machine makes in honest ones. */
const LONG_MS = 5_000
/** So few slices are a burst, however short the stream. */
const BURST_SLICES = 2

const EXPECTED =
  `tokens arrive in at least ${LEAST_SLICES} of ${SLICES} equal slices of the time from request to end, ` +
  `at most ${LARGEST_SHARE * 100} % of them in one`

/**
 * Tokens come as they are made. The time from the request to its end is cut into 20 slices: tokens must arrive in at
 * least ten of them, and no slice may hold more than half of all tokens. A stream that is made first and sent then fills one or
 * two slices; a real one fills nearly all, and still passes when a busy machine stops it for a third of the time.
 * What lies between is a failure of a long stream. In a short one it may be the machine: that is not measurable, as is a
 * stream during half of which the harness itself did not run. `gatherStreams` then makes another probe.
 * With a worker that others use too, the time counts from `started`: before that, a request may wait its turn.
 */
export function judgeProbe(probe: StreamRecord, spawned: boolean): Finding {
  const { arrivals, events, end } = viewStream(probe)
  const endMs = events.at(-1)?.ms
  if (end === undefined || endMs === undefined) return notMeasurable(EXPECTED, 'the probe has no end event')
  const fromMs = spawned ? 0 : events[0]!.ms
  const duration = endMs - fromMs
  const told = `${arrivals.length} tokens in ${duration.toFixed(0)} ms`
  if (duration < LEAST_MS || arrivals.length < LEAST_TOKENS) {
    return notMeasurable(EXPECTED, `${told}: too quick to tell`)
  }
  const slices = new Array<number>(SLICES).fill(0)
  for (const ms of arrivals) {
    const slice = Math.min(SLICES - 1, Math.floor(((ms - fromMs) / duration) * SLICES))
    slices[slice] = slices[slice]! + 1
  }
  const filled = slices.filter((count) => count > 0).length
  const largest = Math.max(...slices) / arrivals.length
  const seen = `${told}, in ${filled} of ${SLICES} slices, at most ${(largest * 100).toFixed(0)} % in one`
  if (filled >= LEAST_SLICES && largest <= LARGEST_SHARE) return pass(EXPECTED, seen)
  const heldUpMs = probe.heldUpMs ?? 0
  if (heldUpMs >= duration / 2) {
    return notMeasurable(EXPECTED, `${seen}; but the harness itself was held up for ${heldUpMs.toFixed(0)} ms`)
  }
  if (duration >= LONG_MS || filled <= BURST_SLICES) return fail(EXPECTED, seen)
  return notMeasurable(EXPECTED, `${seen}: on a busy machine too quick to tell`)
}

export const streamProbeCheck: Check = {
  name: 'stream-probe',
  fromInside: false,
  run({ probe, earlierProbes, spawned }) {
    if (probe === undefined) return notMeasurable(EXPECTED, 'no probe was made')
    const { verdict, seen } = judgeProbe(probe, spawned)
    const count = earlierProbes.length + 1
    return { verdict, expected: EXPECTED, seen: count === 1 ? seen : `probe ${count}: ${seen}` }
  },
}
