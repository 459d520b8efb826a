import type { Stage } from '../evidence/gather.ts'
import { viewStream } from '../probes/stream-view.ts'
import type { Progress } from '../report/progress.ts'

/** Tells the stages of a run on the progress line. */
export function showStage(progress: Progress, prefix: string): (stage: Stage) => void {
  return (stage) => {
    switch (stage.name) {
      case 'challenge': {
        const { topic, minuteWord, word } = stage.challenge
        progress.show(`${prefix}attempt ${stage.attempt}: a haiku about "${topic}" with "${minuteWord}" and "${word}"`)
        break
      }
      case 'answer':
        progress.show(
          `${prefix}attempt ${stage.attempt} answered with ${viewStream(stage.stream).tokens.length} tokens`,
        )
        break
      case 'probe':
        progress.show(`${prefix}the same seed again, and a long stream`, `${stage.tokens} tokens`)
        break
      case 'replay':
        progress.show(`${prefix}replaying the draws in float64`, `${stage.done} of ${stage.draws}`)
    }
  }
}
