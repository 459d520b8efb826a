import { allStreams } from '../evidence/evidence.ts'
import { counterTotal, TOKEN_COUNTERS } from '../probes/metrics.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, fail, judge, notMeasurable } from './check.ts'

/** The worker's own books agree: its token counters moved by exactly the tokens that were seen. */
export const metricsCheck: Check = {
  name: 'metrics',
  // Others may use a worker that the harness did not spawn.
  fromInside: true,
  run(evidence) {
    const views = allStreams(evidence).map(viewStream)
    const tokensIn = views.reduce((sum, view) => sum + (view.started?.prompt_tokens ?? 0), 0)
    const tokensOut = views.reduce((sum, view) => sum + view.tokens.length, 0)
    const expected = `/metrics: tokens in +${tokensIn}, out +${tokensOut}`
    const { metricsBefore, metricsAfter } = evidence
    if (metricsBefore?.status !== 200 || metricsAfter?.status !== 200) return fail(expected, '/metrics gave no answer')
    const moved = (name: string) => {
      const after = counterTotal(metricsAfter.text, name)
      return after === undefined ? undefined : after - (counterTotal(metricsBefore.text, name) ?? 0)
    }
    const movedIn = moved(TOKEN_COUNTERS.in)
    const movedOut = moved(TOKEN_COUNTERS.out)
    if (movedIn === undefined || movedOut === undefined) {
      return fail(expected, `no counters ${Object.values(TOKEN_COUNTERS).join(' and ')}`)
    }
    const seen = `in +${movedIn}, out +${movedOut}`
    if (views.some((view) => view.end === undefined)) {
      return notMeasurable(expected, `${seen}, and a stream without its end event`)
    }
    if (!evidence.spawned && (movedIn > tokensIn || movedOut > tokensOut)) {
      return notMeasurable(expected, `${seen}: others may be using this worker`)
    }
    return judge(movedIn === tokensIn && movedOut === tokensOut, expected, seen)
  },
}
