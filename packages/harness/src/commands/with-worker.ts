import { writeJson } from '../report/artifacts.ts'
import type { Progress } from '../report/progress.ts'
import { type AcquiredWorker, type AcquireOptions, acquireWorker } from '../worker-process/acquire-worker.ts'
import { WorkerFailure } from '../worker-process/worker-failure.ts'

/**
 * Calls `use` with a healthy worker and ends the worker afterwards, whatever happens. What became of its processes is written to
 * worker_exit.json. Throws a WorkerFailure when there is no healthy worker, or when `signal` ended the wait for it.
 */
export async function withWorker(
  options: Omit<AcquireOptions, 'onStatus'> & { readonly progress: Progress },
  use: (worker: AcquiredWorker) => Promise<void>,
): Promise<void> {
  const { progress } = options
  const worker = await acquireWorker({
    ...options,
    onStatus: (status, done) => {
      progress.show(`worker: ${status}`, done === undefined ? '' : `${Math.round(done * 100)} %`)
    },
  })
  progress.show(`worker: healthy after ${(worker.healthyMs / 1000).toFixed(1)} s`)
  try {
    await use(worker)
  } finally {
    progress.show('ending the worker')
    const reaped = await worker.release()
    progress.done()
    if (reaped !== undefined) {
      await writeJson(options.folder, 'worker_exit.json', reaped)
      const killed = reaped.processes.filter((process) => process.killed).map(({ role, pid }) => `${role} ${pid}`)
      if (killed.length > 0)
        process.stderr.write(`the worker did not end when it was asked to: ${killed.join(', ')} killed\n`)
    }
  }
  if (options.signal.aborted) throw new WorkerFailure('interrupted', 'the harness was told to stop')
}
