import { isTerminal } from '@plumbline/protocol'
import { allStreams } from '../evidence/evidence.ts'
import { type StreamClose, streamName } from '../probes/stream-record.ts'
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
        return fail(expected, `${here}no terminal event; after ${types.length} events, ${closeWords(stream.close)}`)
      }
      if (terminals.length > 1) return fail(expected, `${here}${terminals.length} terminal events`)
      if (types[0] !== 'started') return fail(expected, `${here}the first event is ${types[0]}`)
      if (types.lastIndexOf('started') > 0) return fail(expected, `${here}more than one started event`)
      const terminal = events.at(-1)!.event
      if (!isTerminal(terminal)) return fail(expected, `${here}a ${terminal.type} event after the terminal event`)
      if (terminal.type === 'error') return fail(expected, `${here}error ${terminal.code}: ${terminal.message}`)
      if (stream.close.how !== 'complete') {
        return fail(expected, `${here}after end, the body did not end: ${closeWords(stream.close)}`)
      }
    }
    return pass(expected, `so in all ${streams.length} streams`)
  },
}

function closeWords(close: StreamClose): string {
  switch (close.how) {
    case 'complete':
      return 'the body ended'
    case 'broken':
      return 'the connection closed'
    case 'timed-out':
      return 'silence'
    case 'flooded':
      return `a flood of more than ${close.limit}`
  }
}
