import { type CpuSample, cpuShareAt } from '../probes/cpu-timeline.ts'
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
/** So few slices are a burst. */
const BURST_SLICES = 2

/** How often the probe is made while nobody can tell from it: on a busy machine a small model's is over in a few pauses. */
export const PROBES = 6

/** For whoever finds that nobody could tell. */
const ADVICE =
  'The worker is not accused of anything. Run it again when the machine is less busy; if it always ends so, the model is too quick ' +
  'for its context to be watched: give --model a larger one'

/** Of the time, how much may pass before the first token, on top of what the prompt's own tokens take. */
const LATEST_FIRST = 0.2
/** How far ahead of the tokens the engine's CPU time may be, by `cpuLead`. */
const LARGEST_LEAD = 0.5
/** So far ahead is making first and sending then. */
const MADE_FIRST_LEAD = 0.8

const EXPECTED =
  `tokens arrive in at least ${LEAST_SLICES} of ${SLICES} equal slices of the time from request to end, at most ` +
  `${LARGEST_SHARE * 100} % of them in one, the first within ${LATEST_FIRST * 100} %; ` +
  `the engine's CPU time at most half as far ahead of them as when all are made first`

/** `madeFirst`: of a stream too short to be sure of it, whether it looks as if it was made first and sent then. */
interface ProbeFinding extends Finding {
  readonly madeFirst?: boolean
}

/**
 * Tokens come as they are made. The time from the request to its end is cut into 20 slices: tokens must arrive in at
 * least ten of them, and no slice may hold more than half of all tokens. A stream that is made first and sent then fills one or
 * two slices; a real one fills nearly all, and still passes when a busy machine stops it for a third of the time.
 * One that is made first and then sent at a leisurely pace fills them too: it begins late, and the engine has used its CPU time
 * before. CPU time does not pass while a busy machine makes a process wait, so this tells also there.
 *
 * What is wrong in a long stream is a failure. In a short one it may be the machine, which keeps the worker's front from running while
 * its engine runs: that is not measurable, as is a stream during half of which the harness itself did not run. `gatherStreams` then
 * makes another probe, and the check fails when each of them was made first.
 * With a worker that others use too, the time counts from `started`: before that, a request may wait its turn.
 */
export function judgeProbe(probe: StreamRecord, spawned: boolean): ProbeFinding {
  const { arrivals, events, end, started } = viewStream(probe)
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
  const promptTokens = started?.prompt_tokens ?? 0
  const first = (arrivals[0]! - fromMs) / duration
  const promptShare = promptTokens / (promptTokens + arrivals.length)
  const lead = cpuLead(probe.engineCpu ?? [], arrivals, promptTokens)
  const seen =
    `${told}, in ${filled} of ${SLICES} slices, at most ${percent(largest)} in one, the first after ${percent(first)}` +
    (lead === undefined ? '' : `; CPU time ahead by ${percent(Math.max(0, lead))} (100 %: all made first)`)
  const inTime = first <= LATEST_FIRST + promptShare
  if (filled >= LEAST_SLICES && largest <= LARGEST_SHARE && inTime && (lead ?? 0) <= LARGEST_LEAD) {
    return pass(EXPECTED, seen)
  }
  const heldUpMs = probe.heldUpMs ?? 0
  if (heldUpMs >= duration / 2) {
    return notMeasurable(EXPECTED, `${seen}; but the harness itself was held up for ${heldUpMs.toFixed(0)} ms`)
  }
  if (duration >= LONG_MS) return fail(EXPECTED, seen)
  const madeFirst = filled <= BURST_SLICES || (lead ?? 0) >= MADE_FIRST_LEAD
  return { ...notMeasurable(EXPECTED, `${seen}: on a busy machine too quick to tell`), madeFirst }
}

/**
 * By how much the engine's CPU time was ahead of the tokens: 0 when each came as it was made, 1 when all were made before the first
 * came, 0.5 when they were made twice as fast as they came. It is the mean over all tokens of the share of CPU time that was used
 * when one came, less the share of the work that was due then, over what that is when all is made first. A token of the prompt
 * counts like one of the answer, which is the most that it takes. undefined where the CPU time is too little to tell.
 */
function cpuLead(samples: readonly CpuSample[], arrivals: readonly number[], promptTokens: number): number | undefined {
  const usedMs = samples.length < 2 ? 0 : samples.at(-1)!.cpuMs - samples[0]!.cpuMs
  if (usedMs < LEAST_MS) return undefined
  const work = promptTokens + arrivals.length
  const due = arrivals.map((_, index) => (promptTokens + index + 1) / work)
  const ahead = arrivals.map((ms, index) => cpuShareAt(samples, ms) - due[index]!)
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  return sum(ahead) / (arrivals.length - sum(due))
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}

export const streamProbeCheck: Check = {
  name: 'stream-probe',
  fromInside: false,
  run({ probe, earlierProbes, spawned }) {
    if (probe === undefined) return notMeasurable(EXPECTED, 'no probe was made')
    const findings = [...earlierProbes, probe].map((stream) => judgeProbe(stream, spawned))
    const { verdict, seen } = findings.at(-1)!
    const told = findings.length === 1 ? seen : `probe ${findings.length}: ${seen}`
    // The machine may do that to one or two of them.
    if (findings.length === PROBES && findings.every(({ madeFirst }) => madeFirst)) {
      return fail(EXPECTED, `${told}; so in all ${PROBES}: made first, and sent then`)
    }
    return { verdict, expected: EXPECTED, seen: verdict === 'not measurable' ? `${told}. ${ADVICE}` : told }
  },
}
