import { parseExecuteRequest } from '@plumbline/protocol'
import { allStreams } from '../evidence/evidence.ts'
import { promptTokenIds } from '../evidence/subject.ts'
import { streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, type Finding, fail, notMeasurable, pass, worstFinding } from './check.ts'

/** One event a token: i = 0, 1, 2, …, as many as `end` says, and as many as the request and the context allow. */
export const tokenEventsCheck: Check = {
  name: 'token-events',
  fromInside: false,
  run(evidence) {
    const expected =
      'i counts 0, 1, 2, …; tokens_out is their number; max_tokens and stop_reason are what the request makes them'
    const { subject, healthBefore } = evidence
    // A worker may be started with a shorter context; the health check says so where it was not.
    const contextLength = Math.min(healthBefore.health?.context_length ?? Infinity, subject.contextLength)
    const findings = allStreams(evidence).map((stream): Finding => {
      const request = parseExecuteRequest(stream.request)
      const { tokens, started, end } = viewStream(stream)
      const here = `${streamName(stream)}: `
      const gap = tokens.findIndex((token, index) => token.i !== index)
      if (gap >= 0) return fail(expected, `${here}token event ${gap} says i = ${tokens[gap]!.i}`)
      const room = contextLength - promptTokenIds(subject, request).length
      const maxTokens = Math.min(request.max_tokens, room)
      if (started !== undefined && started.max_tokens !== maxTokens) {
        return fail(expected, `${here}max_tokens ${started.max_tokens}, not ${maxTokens}`)
      }
      if (started !== undefined && tokens.length > started.max_tokens) {
        return fail(expected, `${here}${tokens.length} tokens of at most ${started.max_tokens}`)
      }
      if (end === undefined || started === undefined) return notMeasurable(expected, `${here}no end event`)
      if (end.tokens_out !== tokens.length) {
        return fail(expected, `${here}tokens_out ${end.tokens_out}, and ${tokens.length} token events`)
      }
      if (end.stop_reason === 'STOP_SEQUENCE') return fail(expected, `${here}STOP_SEQUENCE, and none was asked for`)
      if (end.stop_reason === 'EOS' && request.ignore_eos) return fail(expected, `${here}EOS, in spite of ignore_eos`)
      const full = tokens.length === started.max_tokens
      if ((end.stop_reason === 'MAX_TOKENS') !== full) {
        return fail(expected, `${here}${end.stop_reason} after ${tokens.length} of ${started.max_tokens} tokens`)
      }
      return pass(expected, `${tokens.length}`)
    })
    const worst = worstFinding(findings)
    if (worst?.verdict !== 'pass') return worst ?? fail(expected, 'no stream')
    return pass(expected, `${findings.map((finding) => finding.seen).join(' + ')} tokens, each with its event`)
  },
}
