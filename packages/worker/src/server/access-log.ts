import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics, Outcome } from '../telemetry/metrics.ts'

const MONITORED = new Set(['/health', '/livez', '/metrics'])

/** Logs a request once it is over: once the last byte has left, or the client is known to be gone. */
export function logWhenOver(request: FastifyRequest, reply: FastifyReply, metrics: Metrics): void {
  const startedAt = performance.now()
  const bytesBefore = request.raw.socket.bytesWritten
  reply.raw.once('close', () =>
    // The stream of a job hears of the end by the same event; its report is complete after that.
    setImmediate(() => {
      const delivered = reply.raw.writableFinished
      const outcome: Outcome | 'answered' = request.job?.outcome ?? (delivered ? 'answered' : 'client_disconnected')
      if (request.routeOptions.url === '/execute') {
        metrics.requests.inc({ outcome: outcome === 'answered' ? 'rejected' : outcome })
      }
      // Monitors ask every few seconds, and their questions are no news.
      const level = MONITORED.has(request.routeOptions.url ?? '') ? 'debug' : 'info'
      request.requestLog[level](
        {
          method: request.method,
          path: request.routeOptions.url ?? '(unknown)',
          status: reply.raw.statusCode,
          outcome,
          duration_ms: Math.round(performance.now() - startedAt),
          bytes: request.raw.socket.bytesWritten - bytesBefore,
          ...(request.errorCode !== undefined && { error_code: request.errorCode }),
          ...request.job,
        },
        'request',
      )
    }),
  )
}
