import type { TokenEvent } from '@plumbline/protocol'
import type { Tokenizer } from '@plumbline/reference'
import { allStreams } from '../evidence/evidence.ts'
import { streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, type Finding, fail, notMeasurable, pass, worstFinding } from './check.ts'

/**
 * The text that was streamed is what the token ids mean, by the reference's tokenizer, and each token event brings what its
 * token adds: no stop strings are sent, so only the bytes of an incomplete character may wait.
 */
export const textCheck: Check = {
  name: 'text',
  fromInside: false,
  run(evidence) {
    const { subject } = evidence
    const expected = 'each t, and all joined, are the token ids decoded by the reference'
    const findings = allStreams(evidence).map((stream): Finding => {
      const { text, tokens, tokenIds, end } = viewStream(stream)
      const here = `${streamName(stream)}: `
      const outside = tokenIds.find((id) => id >= subject.vocabSize)
      if (outside !== undefined) return fail(expected, `${here}token_id ${outside} of ${subject.vocabSize} tokens`)
      const decoded = subject.tokenizer.decodeText(tokenIds)
      if (decoded.startsWith(text)) {
        const untimely = firstUntimely(subject.tokenizer, tokens)
        if (untimely !== undefined) return fail(expected, `${here}${untimely}`)
        if (end === undefined) return notMeasurable(expected, `${here}no end event`)
      }
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

/** The first token event that brings more or less text than its token completes, in words. */
function firstUntimely(tokenizer: Tokenizer, tokens: readonly TokenEvent[]): string | undefined {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  for (const { i, token_id, t } of tokens) {
    const due = decoder.decode(tokenizer.decode([token_id]), { stream: true })
    if (t !== due) return `token event ${i} brings ${JSON.stringify(t)}, and its id completes ${JSON.stringify(due)}`
  }
  return undefined
}
