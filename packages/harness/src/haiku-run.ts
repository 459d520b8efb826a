import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Evidence } from './evidence/evidence.ts'
import { type GatherOptions, gatherReplays, gatherStreams } from './evidence/gather.ts'
import type { Environment } from './probes/environment.ts'
import { writeEvidence, writeJson } from './report/artifacts.ts'
import { renderMarkdown } from './report/markdown.ts'
import { type Verification, verify } from './verification.ts'
import { WorkerFailure } from './worker-process/worker-failure.ts'

export interface RunRecord {
  readonly folder: string
  readonly startedAt: string
  readonly durationMs: number
  readonly worker: {
    readonly url: string
    readonly command: string | undefined
    readonly pid: number | undefined
    readonly healthyMs: number
  }
  readonly evidence: Evidence
  readonly verification: Verification
}

export interface RunOptions extends GatherOptions {
  readonly folder: string
  readonly environment: Environment
  readonly worker: RunRecord['worker']
}

/** One challenge with all its evidence, judged and written down. */
export async function haikuRun(options: RunOptions): Promise<RunRecord> {
  const { folder, worker } = options
  const startedAt = new Date().toISOString()
  const start = performance.now()
  // What was cut short by us says nothing about the worker.
  const assertNotStopped = () => {
    if (options.signal.aborted) throw new WorkerFailure('interrupted', 'the harness was told to stop')
  }
  const streams = await gatherStreams(options)
  assertNotStopped()
  const evidence = { ...streams, ...(await gatherReplays(streams, options)) }
  assertNotStopped()
  await writeEvidence(folder, evidence, options.environment)
  const verification = verify(evidence)
  const run = { folder, startedAt, durationMs: performance.now() - start, worker, evidence, verification }
  await writeJson(folder, 'verification.json', summaryOf(run))
  await writeFile(join(folder, 'report.md'), renderMarkdown(run))
  return run
}

/** A run as verification.json and --json tell it. */
export function summaryOf(run: RunRecord): object {
  const { verification, worker, evidence } = run
  return {
    version: 1,
    startedAt: run.startedAt,
    durationMs: Math.round(run.durationMs),
    verdicts: verification.verdicts,
    exitCode: verification.exitCode,
    genuine: verification.genuine,
    attempts: verification.attempts,
    diagnosis: verification.diagnosis ?? null,
    model: { path: evidence.subject.path, sha256: evidence.subject.file.sha256 },
    worker,
    replays: evidence.replays.map(({ replayed, ...replay }) => ({ ...replay, replayed: replayed.length })),
    artifacts: run.folder,
  }
}
