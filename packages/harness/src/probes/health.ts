import { type Health, healthSchema } from '@plumbline/protocol'
import { type Endpoint, getText } from './http.ts'
import { steadyNow } from './steady-clock.ts'

/** One answer of GET /health, as it came and as the protocol reads it. */
export interface HealthRecord {
  /** Milliseconds since 1970, by a clock that nobody sets meanwhile. */
  readonly receivedAtMs: number
  readonly status: number
  readonly body: string
  /** undefined when the body is not what the protocol says. */
  readonly health: Health | undefined
  /** What is wrong with the body, when something is. */
  readonly problem: string | undefined
}

export async function getHealth(endpoint: Endpoint, timeoutMs?: number): Promise<HealthRecord> {
  const { status, body } = await getText(endpoint, '/health', timeoutMs)
  return readHealth(status, body, steadyNow())
}

/** Pure: what an answer of /health says. */
export function readHealth(status: number, body: string, receivedAtMs: number): HealthRecord {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return { receivedAtMs, status, body, health: undefined, problem: 'the body is not JSON' }
  }
  const parsed = healthSchema.safeParse(json)
  if (parsed.success) return { receivedAtMs, status, body, health: parsed.data, problem: undefined }
  const problem = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`).join('; ')
  return { receivedAtMs, status, body, health: undefined, problem }
}
