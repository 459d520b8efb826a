import { PlumblineError } from '@plumbline/protocol/errors'
import type { FastifyInstance } from 'fastify'
import type { EngineJob } from '../engine-host/messages.ts'
import { Job } from '../scheduling/job.ts'
import { RetryLaterError } from '../server/error-reply.ts'
import type { Worker } from '../server/worker.ts'
import { readExecuteRequest } from './execute-request.ts'
import { jobTrace } from './job-trace.ts'

export function executeRoute(server: FastifyInstance, worker: Worker): void {
  const { options, queue, engine } = worker
  const stream = { pingIntervalMs: options.pingIntervalSec * 1_000, stallMs: options.clientStallSec * 1_000 }

  server.post('/execute', async (request, reply) => {
    const { job_id, trace, stop, engineJob } = await readExecuteRequest(request.body, worker)
    const withTrace: EngineJob =
      trace === 'off' ? engineJob : { ...engineJob, trace: await jobTrace(worker, engineJob, job_id, trace) }
    assertRoom(worker, job_id)

    reply.hijack()
    const job = new Job(
      {
        id: job_id,
        model: worker.modelFile.name,
        device: engine.info!.device,
        engineJob: withTrace,
        stop,
        textOf: (id) => worker.vocabulary!.textOf(id),
        timeoutMs: options.inferenceTimeoutSec * 1_000,
        stream,
        onTraceStopped: (why) =>
          worker.log.warn({ job_id, trace: withTrace.trace?.directory, why }, 'a trace stopped before its generation'),
      },
      worker.metrics,
      queue,
      reply.raw,
      { 'x-correlation-id': request.id },
    )
    request.job = job.report
    queue.enqueue(job)
  })
}

/** The last look before a request is admitted: throws what it is refused with. */
function assertRoom({ queue, engine, shuttingDown, options }: Worker, jobId: string): void {
  if (shuttingDown) {
    throw new RetryLaterError('SHUTTING_DOWN', 'the worker is shutting down', options.drainTimeoutSec * 1_000)
  }
  if (engine.inCrashLoop) {
    throw new RetryLaterError('OVERLOADED', 'the engine keeps crashing and is being given a rest', engine.readyInMs)
  }
  if (queue.has(jobId)) throw new PlumblineError('JOB_ALREADY_ACTIVE', 'a job with this job_id is active')
  if (queue.full) throw new RetryLaterError('OVERLOADED', 'the queue is full', queue.placeFreeInMs + engine.readyInMs)
}
