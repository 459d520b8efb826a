import { Arithmetic, ATTENTION_ROUNDINGS, GGML_ARITHMETIC } from '../src/arithmetic/arithmetic.ts'
import { SCHEMES } from '../src/arithmetic/rounding.ts'
import { compare } from '../src/comparison/compare.ts'
import { recordOracle } from '../src/oracle/memory-oracle.ts'
import { memoryRecording } from '../src/recording/memory-recording.ts'
import { alterRun } from './helpers/alter-run.ts'
import type { Subject } from './planted-mistakes.ts'
import { LEVELS, SHOWS } from './unlisted-mistakes.ts'

/** Every arithmetic that engines are known to have: each rounding of matrices, and each of attention. */
const ARITHMETICS = [
  ...SCHEMES.map((scheme) => ({ words: scheme.words, arithmetic: new Arithmetic((weights) => scheme.of(weights)) })),
  ...ATTENTION_ROUNDINGS.map((attention) => ({
    words: attention.words,
    arithmetic: new Arithmetic(GGML_ARITHMETIC.matrices, attention),
  })),
]

/** Honest runs in every arithmetic and at every level against float64: the alarms, and those of every op that are not shown to be the same. */
export function roundingAlarms({ model, promptTokenIds }: Subject): {
  pairs: number
  alarms: string[]
  unshown: string[]
} {
  const truth = recordOracle(model, promptTokenIds, { maxTokens: 6 }).run
  const forcedTokenIds = truth.identity.generatedTokenIds!
  const found = { pairs: 0, alarms: [] as string[], unshown: [] as string[] }
  for (const { words, arithmetic } of ARITHMETICS) {
    const options = { maxTokens: 6, forcedTokenIds, arithmetic }
    const stated = { identity: { activations: 'Q8', kvCache: 'F16' } }
    const run = alterRun(recordOracle(model, promptTokenIds, options).run, stated)
    for (const level of LEVELS) {
      const candidate = alterRun(run, { values: (name) => (SHOWS[level].test(name) ? undefined : false) })
      const { verdict } = compare(memoryRecording([candidate]), memoryRecording([truth]), { model })
      found.pairs++
      const { outcome } = verdict
      if (verdict.exitCode !== 0 && outcome !== 'not-shown') found.alarms.push(`${words}, ${level}: ${verdict.line}`)
      if (level === 'ops' && outcome === 'not-shown') found.unshown.push(`${words}: ${verdict.line}`)
    }
  }
  return found
}
