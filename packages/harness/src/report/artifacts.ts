import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { usageError } from '../command-error.ts'
import { allStreams, type Evidence, type StreamEvidence } from '../evidence/evidence.ts'
import type { Environment } from '../probes/environment.ts'
import type { StreamRecord } from '../probes/stream-record.ts'
import { snakeCase } from './snake-case.ts'

/** `<root>/haiku/<UTC time>-<id>`, created. The time sorts, the id keeps runs of one second apart. */
export async function makeArtifactsFolder(root: string, kind: string): Promise<string> {
  const time = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')
  const folder = join(root, kind, `${time}Z-${randomBytes(4).toString('hex')}`)
  try {
    await makeFolder(resolve(folder))
  } catch (error) {
    throw usageError(`--artifacts is ${root}, where nothing can be written: ${(error as Error).message}`)
  }
  return folder
}

/** Level by level: Node's own `recursive` never comes to an end where a folder is there and cannot hold another, as below /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || (await exists(dirname(path)))) throw error
    await makeFolder(dirname(path))
    await mkdir(path)
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

export async function writeJson(folder: string, name: string, value: unknown): Promise<void> {
  await writeFile(join(folder, name), `${JSON.stringify(snakeCase(value), null, 2)}\n`)
}

/** What the worker was asked and what came of it, as it was recorded: before anything is made of it. */
export async function writeStreams(folder: string, evidence: StreamEvidence, environment: Environment): Promise<void> {
  // Line by line: as one string it could be longer than a string may be.
  const transcript = createWriteStream(join(folder, 'sse_transcript.ndjson'))
  await pipeline(Readable.from(transcriptLines(allStreams(evidence))), transcript)
  await writeFile(join(folder, 'metrics_before.prom'), evidence.metricsBefore?.text ?? '')
  await writeFile(join(folder, 'metrics_after.prom'), evidence.metricsAfter?.text ?? '')
  await writeEnvironment(folder, evidence, environment, undefined)
}

/** What the harness found out by itself afterwards. */
export async function writeReplays(folder: string, evidence: Evidence, environment: Environment): Promise<void> {
  await writeEnvironment(folder, evidence, environment, evidence.fileAfter)
  await writeJson(folder, 'replay.json', evidence.replays)
}

/** A head for each stream, its frames, and how it ended. */
function* transcriptLines(streams: readonly StreamRecord[]): Generator<string> {
  for (const stream of streams) {
    const { job_id } = stream.request
    yield line({
      stream: job_id,
      purpose: stream.purpose,
      attempt: stream.attempt,
      sent_at: stream.sentAt,
      request: stream.request,
      status: stream.status,
      content_type: stream.contentType,
      refusal: stream.refusal,
    })
    for (const frame of stream.frames) yield line({ stream: job_id, ...frame })
    yield line({
      stream: job_id,
      ms: stream.endedMs,
      kind: 'close',
      held_up_ms: stream.heldUpMs,
      engine_cpu: stream.engineCpu?.map(({ ms, cpuMs }) => ({ ms, cpu_ms: cpuMs })),
      ...stream.close,
    })
  }
}

const line = (value: object) => `${JSON.stringify(value)}\n`

async function writeEnvironment(
  folder: string,
  evidence: StreamEvidence,
  environment: Environment,
  fileAfter: Evidence['fileAfter'],
): Promise<void> {
  const { subject } = evidence
  await writeJson(folder, 'environment.json', {
    ...environment,
    model: {
      path: subject.path,
      architecture: subject.architecture,
      before: subject.file,
      after: fileAfter ?? null,
    },
    healthBefore: evidence.healthBefore.health ?? evidence.healthBefore,
    healthAfter: evidence.healthAfter?.health ?? evidence.healthAfter ?? null,
    processes: evidence.inside ?? null,
  })
}
