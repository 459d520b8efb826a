import { compare } from '../src/comparison/compare.ts'
import type { Op } from '../src/comparison/comparison.ts'
import { graphNode } from '../src/graph/graph.ts'
import { recordOracle } from '../src/oracle/memory-oracle.ts'
import { memoryRecording } from '../src/recording/memory-recording.ts'
import type { RecordedRun } from '../src/recording/recording.ts'
import { UNLISTED_MISTAKES } from './fixtures/unlisted-mistakes.ts'
import { alterRun } from './helpers/alter-run.ts'
import type { Subject } from './planted-mistakes.ts'

export const LEVELS = ['ops', 'layers', 'logits'] as const
export type Level = (typeof LEVELS)[number]

export const SHOWS: Readonly<Record<Level, RegExp>> = {
  ops: /./,
  layers: /^(token_embd|blk\.\d+\.output|output_norm|logits)$/,
  logits: /^logits$/,
}

export interface UnlistedResult {
  readonly mistake: string
  readonly checkpoint: string
  readonly level: Level
  /** NMSE at the op where it was made. */
  readonly size: number
  readonly exitCode: number
  /** Where it was found. */
  readonly found?: string
}

const MAX_TOKENS = 3

/**
 * Plants each mistake that nobody listed in a forward pass with 8-bit activations, in its middle layer or in every layer, and lets `compare`
 * look for it.
 */
export function* plantUnlisted(
  { model, promptTokenIds }: Subject,
  levels: readonly Level[] = LEVELS,
  everywhere = false,
): Generator<UnlistedResult> {
  const reference = recordOracle(model, promptTokenIds, { maxTokens: MAX_TOKENS }).run
  const layer = everywhere ? 0 : model.config.layers >> 1
  for (const mistake of UNLISTED_MISTAKES) {
    const op = mistake.ops[0] as Op
    const isGlobal = graphNode(op, model.config.layers) !== undefined
    const planting = { mistake, op, ...(!isGlobal && !everywhere && { layer }) }
    const forcedTokenIds = reference.identity.generatedTokenIds!
    const options = { maxTokens: MAX_TOKENS, planting, activations: 'Q8', forcedTokenIds } as const
    const { run, result } = recordOracle(model, promptTokenIds, options)
    for (const level of levels) {
      const candidate = only(run, SHOWS[level])
      const { verdict, divergence } = compare(memoryRecording([candidate]), memoryRecording([reference]), { model })
      yield {
        mistake: mistake.name,
        checkpoint: isGlobal ? op : `blk.${layer}.${op}`,
        level,
        size: result.planted!.nmse,
        exitCode: verdict.exitCode,
        ...(divergence && { found: divergence.checkpoint }),
      }
    }
  }
}

function only(run: RecordedRun, shows: RegExp): RecordedRun {
  return alterRun(run, { values: (name) => (shows.test(name) ? undefined : false) })
}
