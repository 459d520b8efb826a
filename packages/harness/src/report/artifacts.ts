import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { usageError } from '../command-error.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { allStreams } from '../evidence/evidence.ts'
import type { Environment } from '../probes/environment.ts'
import { snakeCase } from './snake-case.ts'

/** `<root>/haiku/<UTC time>-<id>`, created. The time sorts, the id keeps runs of one second apart. */
export async function makeArtifactsFolder(root: string, kind: string): Promise<string> {
  const time = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')
  const folder = join(root, kind, `${time}Z-${randomBytes(4).toString('hex')}`)
  try {
    await mkdir(folder, { recursive: true })
  } catch (error) {
    throw usageError(`--artifacts is ${root}, where nothing can be written: ${(error as Error).message}`)
  }
  return folder
}

export async function writeJson(folder: string, name: string, value: unknown): Promise<void> {
  await writeFile(join(folder, name), `${JSON.stringify(snakeCase(value), null, 2)}\n`)
}

/** Everything recorded, as it was recorded. */
export async function writeEvidence(folder: string, evidence: Evidence, environment: Environment): Promise<void> {
  const lines = allStreams(evidence).flatMap(({ frames, ...stream }) => [
    // A head for each stream, its frames, and how it ended.
    {
      stream: stream.request.job_id,
      purpose: stream.purpose,
      attempt: stream.attempt,
      sent_at: stream.sentAt,
      request: stream.request,
      status: stream.status,
      content_type: stream.contentType,
      refusal: stream.refusal,
    },
    ...frames.map((frame) => ({ stream: stream.request.job_id, ...frame })),
    {
      stream: stream.request.job_id,
      ms: stream.endedMs,
      kind: 'close',
      held_up_ms: stream.heldUpMs,
      engine_cpu: stream.engineCpu?.map(({ ms, cpuMs }) => ({ ms, cpu_ms: cpuMs })),
      ...stream.close,
    },
  ])
  await writeFile(join(folder, 'sse_transcript.ndjson'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  await writeFile(join(folder, 'metrics_before.prom'), evidence.metricsBefore?.text ?? '')
  await writeFile(join(folder, 'metrics_after.prom'), evidence.metricsAfter?.text ?? '')
  const { subject } = evidence
  await writeJson(folder, 'environment.json', {
    ...environment,
    model: {
      path: subject.path,
      architecture: subject.architecture,
      before: subject.file,
      after: evidence.fileAfter ?? null,
    },
    healthBefore: evidence.healthBefore.health ?? evidence.healthBefore,
    healthAfter: evidence.healthAfter?.health ?? evidence.healthAfter ?? null,
    processes: evidence.inside ?? null,
  })
  await writeJson(folder, 'replay.json', evidence.replays)
}
