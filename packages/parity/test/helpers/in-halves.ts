import type { RecordedRun } from '../../src/recording/recording.ts'
import { type Alterations, alterRun } from './alter-run.ts'

/** Checkpoints of queries and keys. */
export const ROTATED = /attn_[qk](_rope)?$/

/** The run as Transformers leaves it: queries and keys of a head in two halves. */
export function inHalves(run: RecordedRun, headLength: number, identity: Alterations['identity'] = {}): RecordedRun {
  return alterRun(run, {
    identity: { ...identity, ropeOrder: 'halves' },
    values: (name, values) => {
      if (!ROTATED.test(name)) return undefined
      const copy = values.slice()
      for (let head = 0; head < values.length; head += headLength) {
        for (let i = 0; i < headLength / 2; i++) {
          values[head + i] = copy[head + 2 * i]!
          values[head + headLength / 2 + i] = copy[head + 2 * i + 1]!
        }
      }
      return undefined
    },
  })
}
