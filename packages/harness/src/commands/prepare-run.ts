import { readSubject, type Subject } from '../evidence/subject.ts'
import { acquireOptions, modelPath, type WorkerOptions } from '../options.ts'
import { makeArtifactsFolder } from '../report/artifacts.ts'
import type { Progress } from '../report/progress.ts'
import type { AcquiredWorker, AcquireOptions } from '../worker-process/acquire-worker.ts'
import { requireSameModel } from './require-same-model.ts'
import { withWorker } from './with-worker.ts'

/** What every command has before it has a worker. */
export interface PreparedRun {
  readonly subject: Subject
  readonly folder: string
  readonly acquire: Omit<AcquireOptions, 'onStatus'>
}

/** Checks the options, reads the model and makes the folder `<artifacts>/<kind>/…`. */
export async function prepareRun(
  kind: string,
  options: WorkerOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<PreparedRun> {
  const path = await modelPath(options.model)
  const acquire = acquireOptions(options, path)
  progress.show('reading the model')
  const subject = await readSubject(path)
  const folder = await makeArtifactsFolder(options.artifacts, kind)
  return { subject, folder, acquire: { ...acquire, folder, signal } }
}

/** Measures a model, not a worker: `use` gets one that runs the very file. */
export async function withMeasuredWorker(
  { subject, acquire }: PreparedRun,
  progress: Progress,
  use: (worker: AcquiredWorker) => Promise<void>,
): Promise<void> {
  await withWorker({ ...acquire, progress }, async (worker) => {
    requireSameModel(worker.health, subject)
    await use(worker)
  })
  progress.done()
}
