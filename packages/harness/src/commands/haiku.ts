import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EXIT, type ExitCode, worstExit } from '@plumbline/protocol'
import { diagnoseFailure } from '../diagnosis/diagnose.ts'
import { readSubject } from '../evidence/subject.ts'
import { haikuRun, type RunRecord, summaryOf } from '../haiku-run.ts'
import { acquireOptions, modelPath, type WorkerOptions } from '../options.ts'
import { readEnvironment } from '../probes/environment.ts'
import { makeArtifactsFolder, writeJson } from '../report/artifacts.ts'
import type { Progress } from '../report/progress.ts'
import { snakeCase } from '../report/snake-case.ts'
import { renderSummary } from '../report/summary.ts'
import { renderRun } from '../report/terminal.ts'
import { WorkerFailure } from '../worker-process/worker-failure.ts'
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
  const path = await modelPath(options.model)
  const acquire = acquireOptions(options, path)
  progress.show('reading the model')
  const subject = await readSubject(path)
  const environment = await readEnvironment()
  const folder = await makeArtifactsFolder(options.artifacts, 'haiku')
  const runs: RunRecord[] = []
  const tell = (told: object) => {
    if (options.json) process.stdout.write(`${JSON.stringify(snakeCase(told), null, 2)}\n`)
  }

  const running = withWorker({ ...acquire, folder, signal, progress }, async (worker) => {
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
  try {
    await running
  } catch (error) {
    if (!(error instanceof WorkerFailure)) throw error
    const failure = { version: 1, exitCode: EXIT.couldNotRun, diagnosis: diagnoseFailure(error), artifacts: folder }
    await writeJson(folder, 'verification.json', failure)
    tell(failure)
    throw error
  }
  progress.done()
  if (options.runs > 1) {
    await writeJson(folder, 'summary.json', { runs: runs.map(summaryOf) })
    if (!options.json) process.stdout.write(`${renderSummary(runs, folder)}\n`)
  }
  tell(options.runs > 1 ? { runs: runs.map(summaryOf) } : summaryOf(runs[0]!))
  return worstExit(runs.map((run) => run.verification.exitCode).filter((code) => code !== EXIT.usage))
}
