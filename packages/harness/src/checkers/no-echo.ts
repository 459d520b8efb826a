import { wordsOf } from '@plumbline/haiku-nano'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, fail, notMeasurable, pass } from './check.ts'

/** So many words in a row can be chance or the topic; more are the prompt. */
const LONGEST_RUN = 4

/** The answer is not the prompt given back. */
export const noEchoCheck: Check = {
  name: 'no-echo',
  fromInside: false,
  run({ attempts }) {
    const expected = `no more than ${LONGEST_RUN} words of the prompt in a row`
    let longest: readonly string[] = []
    for (const { challenge, stream } of attempts) {
      const { text } = viewStream(stream)
      if (text === '') return notMeasurable(expected, 'no text')
      const run = longestCommonRun(wordsOf(challenge.prompt), wordsOf(text))
      if (run.length > longest.length) longest = run
    }
    const seen = `${longest.length} in a row${longest.length > 0 ? `: "${longest.join(' ')}"` : ''}`
    return longest.length > LONGEST_RUN ? fail(expected, seen) : pass(expected, seen)
  },
}

/** The longest run of items that stands in both lists. */
export function longestCommonRun(a: readonly string[], b: readonly string[]): readonly string[] {
  let best = { length: 0, end: 0 }
  let above = new Array<number>(b.length + 1).fill(0)
  a.forEach((item) => {
    const row = new Array<number>(b.length + 1).fill(0)
    b.forEach((other, j) => {
      if (item !== other) return
      row[j + 1] = above[j]! + 1
      if (row[j + 1]! > best.length) best = { length: row[j + 1]!, end: j + 1 }
    })
    above = row
  })
  return b.slice(best.end - best.length, best.end)
}
