import type { FastifyInstance } from 'fastify'
import type { Worker } from '../server/worker.ts'

export function metricsRoute(server: FastifyInstance, { metrics: { registry } }: Worker): void {
  server.get('/metrics', async (_request, reply) => {
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}
