import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { JobReport } from '../scheduling/job.ts'
import type { Logger } from '../telemetry/log.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Says the request's X-Correlation-ID in every line. */
    requestLog: Logger
    /** For the access log, when the request became a job. */
    job: JobReport | undefined
    /** For the access log, when the request was answered with an error. */
    errorCode: string | undefined
  }
}

const VALID = /^[A-Za-z0-9._:-]{1,128}$/

/** The client's X-Correlation-ID, if it is one that can be logged and echoed as it is; a new one otherwise. */
export function correlationId(request: IncomingMessage): string {
  const given = request.headers['x-correlation-id']
  return typeof given === 'string' && VALID.test(given) ? given : randomUUID()
}
