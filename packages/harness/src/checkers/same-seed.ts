import { viewStream } from '../probes/stream-view.ts'
import { type Check, judge, notMeasurable } from './check.ts'

/** The same request with the same seed gives the same tokens. */
export const sameSeedCheck: Check = {
  name: 'same-seed',
  fromInside: false,
  run({ attempts, repeat }) {
    const first = attempts.at(-1)?.stream
    const expected = 'the same seed again gives the same tokens'
    if (first === undefined || repeat === undefined) return notMeasurable(expected, 'it was not asked again')
    const before = viewStream(first)
    const after = viewStream(repeat)
    if (before.end === undefined || after.end === undefined)
      return notMeasurable(expected, 'a stream without its end event')
    const [a, b] = [before.tokenIds, after.tokenIds]
    const length = Math.max(a.length, b.length)
    const differs = Array.from({ length }, (_, index) => a[index] !== b[index]).indexOf(true)
    if (differs >= 0) return judge(false, expected, `token ${differs} is ${a[differs]}, and then ${b[differs]}`)
    return judge(before.text === after.text, expected, `${a.length} tokens, the same twice`)
  },
}
