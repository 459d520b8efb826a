import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EXIT, type ExitCode, worstExit } from '@plumbline/protocol'
import { describeFailure } from '../diagnosis/describe-failure.ts'
import { haikuRun, type RunRecord, summaryOf } from '../haiku-run.ts'
import type { WorkerOptions } from '../options.ts'
import { readEnvironment } from '../probes/environment.ts'
import { writeJson } from '../report/artifacts.ts'
import type { Progress } from '../report/progress.ts'
import { snakeCase } from '../report/snake-case.ts'
import { renderSummary } from '../report/summary.ts'
import { renderRun } from '../report/terminal.ts'
import { type PreparedRun, prepareRun } from './prepare-run.ts'
import { showStage } from './show-stage.ts'
import { withWorker } from './with-worker.ts'

export interface HaikuOptions extends WorkerOptions {
  readonly attempts: number
  readonly runs: number
  readonly replaySeconds: number
  readonly json: boolean
}

/** `plumbline-harness haiku`: one worker, one or more runs, the worst of them decides. */
export async function haikuCommand(options: HaikuOptions, progress: Progress, signal: AbortSignal): Promise<ExitCode> {
  const tell = (told: object) => {
    if (options.json) process.stdout.write(`${JSON.stringify(snakeCase(told), null, 2)}\n`)
  }
  let folder: string | undefined
  try {
    const prepared = await prepareRun('haiku', options, progress, signal)
    folder = prepared.folder
    const runs = await haikuRuns(prepared, options, progress, signal)
    progress.done()
    if (options.runs > 1) {
      await writeJson(folder, 'summary.json', { runs: runs.map(summaryOf) })
      if (!options.json) process.stdout.write(`${renderSummary(runs, folder)}\n`)
    }
    tell(options.runs > 1 ? { runs: runs.map(summaryOf) } : summaryOf(runs[0]!))
    return worstExit(runs.map((run) => run.verification.exitCode).filter((code) => code !== EXIT.usage))
  } catch (error) {
    const failure = { version: 1, ...describeFailure(error), artifacts: folder ?? null }
    if (folder !== undefined) await writeJson(folder, 'verification.json', failure)
    tell(failure)
    throw error
  }
}

async function haikuRuns(
  { subject, folder, acquire }: PreparedRun,
  options: HaikuOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<RunRecord[]> {
  const environment = await readEnvironment()
  const runs: RunRecord[] = []
  await withWorker({ ...acquire, progress }, async (worker) => {
    for (let number = 1; number <= options.runs && !signal.aborted; number++) {
      const runFolder = options.runs === 1 ? folder : join(folder, `run-${String(number).padStart(3, '0')}`)
      await mkdir(runFolder, { recursive: true })
      const run = await haikuRun({
        endpoint: worker.endpoint,
        subject,
        health: worker.health,
        asked: {
          workerId: worker.spawned?.workerId,
          device: worker.spawned === undefined || options.device === 'auto' ? undefined : options.device,
          precision: options.precision,
        },
        spawned: worker.spawned,
        attempts: options.attempts,
        streamTimeoutMs: options.streamTimeout * 1000,
        replayMs: options.replaySeconds * 1000,
        signal,
        onStage: showStage(progress, options.runs === 1 ? '' : `run ${number} of ${options.runs}: `),
        folder: runFolder,
        environment,
        worker: {
          url: worker.endpoint.baseUrl,
          command: worker.command,
          pid: worker.spawned?.pid,
          healthyMs: worker.healthyMs,
        },
      })
      runs.push(run)
      progress.done()
      if (!options.json) process.stdout.write(`${renderRun(run)}\n`)
    }
  })
  return runs
}
