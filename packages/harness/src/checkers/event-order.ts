import { isTerminal } from '@plumbline/protocol'
import { allStreams } from '../evidence/evidence.ts'
import { streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, fail, pass } from './check.ts'

/** `started`, then tokens, then exactly one terminal event, which is `end`, and then the body ends. */
export const eventOrderCheck: Check = {
  name: 'event-order',
  fromInside: false,
  run(evidence) {
    const expected = 'started, tokens, exactly one terminal event, which is end, and then the end of the body'
    const streams = allStreams(evidence)
    if (streams.length === 0) return fail(expected, 'no stream')
    for (const stream of streams) {
      const here = `${streamName(stream)}: `
      const { events } = viewStream(stream)
      const types = events.map(({ event }) => event.type)
      const terminals = events.filter(({ event }) => isTerminal(event))
      if (terminals.length === 0) {
        const how = { complete: 'the body ended', broken: 'the connection closed', 'timed-out': 'silence' }
        return fail(expected, `${here}no terminal event; after ${types.length} events, ${how[stream.close.how]}`)
      }
      if (terminals.length > 1) return fail(expected, `${here}${terminals.length} terminal events`)
      if (types[0] !== 'started') return fail(expected, `${here}the first event is ${types[0]}`)
      if (types.lastIndexOf('started') > 0) return fail(expected, `${here}more than one started event`)
      const terminal = events.at(-1)!.event
      if (!isTerminal(terminal)) return fail(expected, `${here}a ${terminal.type} event after the terminal event`)
      if (terminal.type === 'error') return fail(expected, `${here}error ${terminal.code}: ${terminal.message}`)
      if (stream.close.how !== 'complete') return fail(expected, `${here}after end, the body did not end`)
    }
    return pass(expected, `so in all ${streams.length} streams`)
  },
}
