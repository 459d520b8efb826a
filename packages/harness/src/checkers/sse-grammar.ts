import { allStreams } from '../evidence/evidence.ts'
import { streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, fail, pass } from './check.ts'

/** Each frame is what server-sent events and the protocol allow; ids count upwards. */
export const sseGrammarCheck: Check = {
  name: 'sse-grammar',
  fromInside: false,
  run(evidence) {
    const expected = 'HTTP 200, text/event-stream, and frames with event, id and data as the protocol defines them'
    const streams = allStreams(evidence)
    if (streams.length === 0) return fail(expected, 'no stream')
    let frames = 0
    for (const stream of streams) {
      const here = `${streamName(stream)}: `
      if (stream.status === null) return fail(expected, `${here}no answer`)
      if (stream.status !== 200) return fail(expected, `${here}HTTP ${stream.status} ${stream.refusal}`)
      if (!/^text\/event-stream\s*(;|$)/i.test(stream.contentType ?? '')) {
        return fail(expected, `${here}content-type ${stream.contentType}`)
      }
      const view = viewStream(stream)
      if (view.problems.length > 0) return fail(expected, `${here}${view.problems[0]}`)
      let lastId = -1
      for (const { id, event } of view.events) {
        if (id === null || !/^\d+$/.test(id)) return fail(expected, `${here}a ${event.type} event with id ${id}`)
        if (Number(id) <= lastId) return fail(expected, `${here}id ${id} after id ${lastId}`)
        lastId = Number(id)
      }
      if (stream.frames.length > 0 && !stream.endsOnFrame) return fail(expected, `${here}the last frame is cut off`)
      frames += view.events.length
    }
    return pass(expected, `${frames} frames in ${streams.length} streams`)
  },
}
