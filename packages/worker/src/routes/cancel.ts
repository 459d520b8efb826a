import { parseCancelRequest } from '@plumbline/protocol'
import type { FastifyInstance } from 'fastify'
import type { Worker } from '../server/worker.ts'

/** Idempotent: 202 whether or not the job is still there, `cancelled` says which. */
export function cancelRoute(server: FastifyInstance, { queue }: Worker): void {
  server.post('/cancel', (request, reply) => {
    const { job_id } = parseCancelRequest(request.body)
    return reply.code(202).send({ job_id, cancelled: queue.cancel(job_id) })
  })
}
