import type { StreamRecord } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import { ReplaySession } from './replay-session.ts'
import { promptTokenIds, type Subject } from './subject.ts'
import type { Activations } from './tolerance.ts'

/** So many tokens, or as many as there is time for, show how fast the reference is. */
const SPEED_TOKENS = 32
const SPEED_MS = 2_000

/** Tokens a second that the reference evaluates, tried on those of a stream: it slows down as a context grows. */
export function replaySpeed(subject: Subject, stream: StreamRecord, activations: Activations): number {
  const ids = [...promptTokenIds(subject, stream.request), ...viewStream(stream).tokenIds]
  const known = ids.filter((id) => id < subject.vocabSize).slice(0, SPEED_TOKENS)
  try {
    const session = new ReplaySession(subject, activations)
    const start = performance.now()
    let done = 0
    while (done < known.length && performance.now() - start < SPEED_MS) session.append([known[done++]!])
    return (done / (performance.now() - start)) * 1000
  } catch {
    return 0 // The replay will say why.
  }
}
