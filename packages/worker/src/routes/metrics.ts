import type { FastifyInstance } from 'fastify'
import type { Worker } from '../server/worker.ts'

export function metricsRoute(server: FastifyInstance, worker: Worker): void {
  const { registry } = worker.metrics
  server.get('/metrics', async (_request, reply) => {
    await worker.freshMemory()
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}
