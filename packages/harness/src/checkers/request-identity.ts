import { allStreams } from '../evidence/evidence.ts'
import { streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, fail, notMeasurable, pass } from './check.ts'

/** Each stream answers the request that it was opened for: its nonce, its seed, and one model and device throughout, those of /health. */
export const requestIdentityCheck: Check = {
  name: 'request-identity',
  fromInside: false,
  run(evidence) {
    const expected = 'started repeats the job_id with its nonce and the seed, and names the model and device of /health'
    const streams = allStreams(evidence)
    const { health } = evidence.healthBefore
    const names = new Set<string>(health === undefined ? [] : [`${health.model} on ${health.device}`])
    for (const stream of streams) {
      const { started } = viewStream(stream)
      const here = `${streamName(stream)}: `
      if (started === undefined) return notMeasurable(expected, `${here}no started event`)
      if (started.job_id !== stream.request.job_id) return fail(expected, `${here}job_id ${started.job_id}`)
      if (started.seed !== String(stream.request.seed)) return fail(expected, `${here}seed ${started.seed}`)
      names.add(`${started.model} on ${started.device}`)
    }
    const seen = [...names].join(', ')
    return names.size === 1 ? pass(expected, seen) : fail(expected, `${names.size} different: ${seen}`)
  },
}
