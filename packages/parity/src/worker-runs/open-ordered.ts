import { join } from 'node:path'
import { traceManifestSchema } from '@plumbline/protocol'
import { readJsonFile } from '../formats/json-file.ts'
import { openRecording } from '../formats/open-recording.ts'
import type { Fault, RecordedRun, Recording } from '../recording/recording.ts'
import type { TraceOrder } from './trace-worker.ts'

export interface Ordered extends Pick<TraceOrder, 'promptTokenIds' | 'precision' | 'level' | 'out'> {
  readonly modelSha256: string
  /** Before the worker was started, in milliseconds since 1970. */
  readonly startedMs: number
}

/**
 * Opens what a worker left behind and holds it to what it was asked for, and to having been computed by it, now: a worker that hands
 * back a reference would equal it. Throws INVALID_RECORDING, or UNREADABLE_RECORDING where there is no trace.
 */
export async function openOrdered(order: Ordered, references: readonly RecordedRun[]): Promise<Recording> {
  const fault = notAskedFor(order, references)
  const trace = await openRecording(order.out)
  return fault === undefined ? trace : { ...trace, faults: [fault, ...trace.faults] }
}

function notAskedFor(order: Ordered, references: readonly RecordedRun[]): Fault | undefined {
  const path = join(order.out, 'manifest.json')
  const { model, prompt_token_ids, precision, level, started_at, run, engine } = readJsonFile(path, traceManifestSchema)
  const started = Date.parse(started_at)
  const problems = [
    model.sha256 !== order.modelSha256 && `it is of a model with sha256 ${model.sha256}, not ${order.modelSha256}`,
    prompt_token_ids.join() !== order.promptTokenIds.join() && 'it is of another prompt',
    precision !== order.precision && `its precision is ${precision}, and ${order.precision} was asked for`,
    level !== order.level && `its level is ${level}, and ${order.level} was asked for`,
    !(started >= order.startedMs && started <= Date.now()) && `it was recorded at ${started_at}, not in this run`,
    references.some(({ id }) => id === run) && `its run ${run} is that of a reference`,
    references.some(({ identity }) => identity.engine === engine.name) && `${engine.name} made the reference too`,
  ].filter((problem) => problem !== false)
  return problems.length === 0 ? undefined : { kind: 'not-asked-for', message: problems.join('; '), file: path }
}
