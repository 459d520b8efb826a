import { allStreams } from '../evidence/evidence.ts'
import { promptTokenIds } from '../evidence/subject.ts'
import { streamName } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, fail, notMeasurable, pass } from './check.ts'

/** The prompt is as many tokens as the reference's tokenizer and chat template make of it. */
export const promptTokensCheck: Check = {
  name: 'prompt-tokens',
  fromInside: false,
  run(evidence) {
    const { subject } = evidence
    const counts: number[] = []
    for (const stream of allStreams(evidence)) {
      const { started } = viewStream(stream)
      const count = promptTokenIds(subject, stream.request).length
      const expected = `prompt_tokens ${count}, as the reference counts`
      if (started === undefined) return notMeasurable(expected, `${streamName(stream)}: no started event`)
      if (started.prompt_tokens !== count) return fail(expected, `${streamName(stream)}: ${started.prompt_tokens}`)
      counts.push(count)
    }
    const expected = 'prompt_tokens as the reference counts them'
    return counts.length === 0 ? fail(expected, 'no stream') : pass(expected, `${counts.join(' + ')} tokens, the same`)
  },
}
