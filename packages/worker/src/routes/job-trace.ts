import { join } from 'node:path'
import type { TracedLevel } from '@plumbline/protocol'
import type { EngineJob, JobTrace } from '../engine-host/messages.ts'
import { traceManifest } from '../server/trace-manifest.ts'
import type { Worker } from '../server/worker.ts'

/** Where a request's trace goes: a folder of its own below --trace-dir, named after when and which job. */
export async function jobTrace(worker: Worker, job: EngineJob, jobId: string, level: TracedLevel): Promise<JobTrace> {
  // A manifest without them would say less than it must.
  const [weightsFingerprint] = await Promise.all([worker.weightsFingerprint(), worker.hashModel()])
  const manifest = traceManifest({
    modelName: worker.modelFile.name,
    modelSha256: worker.modelSha256,
    weightsFingerprint,
    info: worker.info!,
    tokenizer: { sha256: await worker.encoder!.sha256(), chatTemplate: worker.vocabulary!.chatTemplate?.source },
    job,
    level,
    unfused: false,
  })
  const time = manifest.started_at.replaceAll(/[:.]/g, '-')
  const directory = join(worker.options.traceDir!, `${time}-${jobId.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)}`)
  return { directory, level, allPositionsLogits: false, values: 'first8', manifest }
}
