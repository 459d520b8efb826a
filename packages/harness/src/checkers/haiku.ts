import { countWord, linesOf } from '@plumbline/haiku-nano'
import type { Attempt } from '../evidence/evidence.ts'
import { viewStream } from '../probes/stream-view.ts'
import { type Check, judge, runChecks } from './check.ts'

/** Both words of the challenge stand in its answer, exactly once each. */
const wordsCheck: Check<Attempt> = {
  name: 'words',
  fromInside: false,
  run({ challenge, stream }) {
    const { text } = viewStream(stream)
    const counts = [challenge.minuteWord, challenge.word].map((wanted) => ({ wanted, count: countWord(text, wanted) }))
    return judge(
      counts.every(({ count }) => count === 1),
      counts.map(({ wanted }) => `"${wanted}" once`).join(', '),
      counts.map(({ wanted, count }) => `"${wanted}" ${count === 1 ? 'once' : `${count} times`}`).join(', '),
    )
  },
}

const threeLinesCheck: Check<Attempt> = {
  name: 'three-lines',
  fromInside: false,
  run({ stream }) {
    const lines = linesOf(viewStream(stream).text).length
    return judge(lines === 3, '3 lines', lines === 1 ? '1 line' : `${lines} lines`)
  },
}

/** Is it the haiku that was asked for? */
export const HAIKU_CHECKS: readonly Check<Attempt>[] = [wordsCheck, threeLinesCheck]

export function isHaiku(attempt: Attempt): boolean {
  return runChecks(HAIKU_CHECKS, attempt).every((result) => result.verdict === 'pass')
}
