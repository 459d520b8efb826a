import type { FastifyInstance } from 'fastify'
import type { Worker } from '../server/worker.ts'
import { cancelRoute } from './cancel.ts'
import { executeRoute } from './execute.ts'
import { healthRoute } from './health.ts'
import { metricsRoute } from './metrics.ts'
import { statusPageRoute } from './status-page.ts'

export function registerRoutes(server: FastifyInstance, worker: Worker): void {
  for (const route of [executeRoute, cancelRoute, healthRoute, metricsRoute, statusPageRoute]) route(server, worker)
}
