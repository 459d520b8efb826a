import { setTimeout as sleep } from 'node:timers/promises'
import { type Endpoint, getText } from './http.ts'

/** GET /metrics at one moment. */
export interface MetricsRecord {
  readonly status: number
  readonly text: string
}

export async function getMetrics(endpoint: Endpoint): Promise<MetricsRecord> {
  const { status, body } = await getText(endpoint, '/metrics')
  return { status, text: body }
}

/** /metrics once its token counters have come to rest: a worker may count a token after the client has it. */
export async function getSettledMetrics(endpoint: Endpoint): Promise<MetricsRecord> {
  let latest = await getMetrics(endpoint)
  for (let round = 0; round < 20; round++) {
    await sleep(100)
    const next = await getMetrics(endpoint)
    const settled = Object.values(TOKEN_COUNTERS).every(
      (name) => counterTotal(latest.text, name) === counterTotal(next.text, name),
    )
    latest = next
    if (settled) break
  }
  return latest
}

export const TOKEN_COUNTERS = {
  in: 'plumbline_worker_tokens_in_total',
  out: 'plumbline_worker_tokens_out_total',
} as const

/**
 * The sum over all label sets of one metric in the Prometheus text format 0.0.4, or undefined when it is not there.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function counterTotal(text: string, name: string): number | undefined {
  let total: number | undefined
  for (const line of text.split('\n')) {
    // name, optionally {labels}, a value, optionally a timestamp
    const match = /^([a-zA-Z_:][\w:]*)(?:\{.*\})?\s+(\S+)(?:\s+-?\d+)?\s*$/.exec(line)
    if (match?.[1] === name) total = (total ?? 0) + Number(match[2])
  }
  return total
}
