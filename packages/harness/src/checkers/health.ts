import type { Check } from './check.ts'
import { fail, judge } from './check.ts'

/** /health is what the protocol says, and says of the model what its file says. */
export const healthCheck: Check = {
  name: 'health',
  fromInside: false,
  run({ healthBefore, healthAfter, subject }) {
    const expected = `healthy; architecture ${subject.architecture}, ${subject.vocabSize} tokens, no engine restart`
    for (const record of [healthBefore, healthAfter]) {
      if (record === undefined) return fail(expected, 'after the last stream: no answer')
      if (record.health === undefined) return fail(expected, `HTTP ${record.status}: ${record.problem}`)
    }
    const before = healthBefore.health!
    const after = healthAfter!.health!
    const seen =
      `${after.status}; architecture ${after.architecture}, ${after.vocab_size} tokens, ` +
      `${after.engine.restarts - before.engine.restarts} engine restarts`
    const holds =
      healthAfter!.status === 200 &&
      after.status === 'healthy' &&
      after.architecture === subject.architecture &&
      after.vocab_size === subject.vocabSize &&
      after.engine.restarts === before.engine.restarts
    return judge(holds, expected, seen)
  },
}
