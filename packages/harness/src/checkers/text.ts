import { allStreams } from '../evidence/evidence.ts'
import { streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, type Finding, fail, notMeasurable, pass, worstFinding } from './check.ts'

/** The text that was streamed is what the token ids mean, by the reference's tokenizer. */
export const textCheck: Check = {
  name: 'text',
  fromInside: false,
  run(evidence) {
    const { subject } = evidence
    const expected = 'all t joined = the token ids decoded by the reference'
    const findings = allStreams(evidence).map((stream): Finding => {
      const { text, tokenIds, end } = viewStream(stream)
      const here = `${streamName(stream)}: `
      const outside = tokenIds.find((id) => id >= subject.vocabSize)
      if (outside !== undefined) return fail(expected, `${here}token_id ${outside} of ${subject.vocabSize} tokens`)
      const decoded = subject.tokenizer.decodeText(tokenIds)
      if (end === undefined && decoded.startsWith(text)) return notMeasurable(expected, `${here}no end event`)
      if (text === decoded) return pass(expected, `${text.length}`)
      const at = [...text].findIndex((character, index) => character !== [...decoded][index])
      const place = at < 0 ? text.length : at
      const excerpt = (whole: string) => JSON.stringify(whole.slice(place, place + 24))
      return fail(expected, `${here}at character ${place}: text ${excerpt(text)}, ids mean ${excerpt(decoded)}`)
    })
    const worst = worstFinding(findings)
    if (worst?.verdict !== 'pass') return worst ?? fail(expected, 'no stream')
    return pass(expected, `${findings.map((finding) => finding.seen).join(' + ')} characters, the same`)
  },
}
