import { request } from 'undici'

const BODY_BYTES = 4 * 1024 * 1024

export interface Endpoint {
  readonly baseUrl: string
  /** Bearer token, for workers that ask for one. */
  readonly token: string | undefined
}

export interface TextAnswer {
  readonly status: number
  readonly body: string
}

/** GET `path`, with a deadline and a bound on the body. Throws what undici throws when there is no answer. */
export async function getText(endpoint: Endpoint, path: string, timeoutMs = 10_000): Promise<TextAnswer> {
  const response = await request(new URL(path, endpoint.baseUrl), {
    headers: endpoint.token === undefined ? {} : { authorization: `Bearer ${endpoint.token}` },
    signal: AbortSignal.timeout(timeoutMs),
  })
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of response.body as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > BODY_BYTES) throw new Error(`GET ${path}: the answer holds more than ${BODY_BYTES} bytes`)
    parts.push(part)
  }
  return { status: response.statusCode, body: Buffer.concat(parts).toString('utf8') }
}

/** An error and what caused it, in one line: undici says little itself and much in its cause. */
export function errorLine(error: unknown): string {
  const parts: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = 'code' in at && typeof at.code === 'string' && !at.message.includes(at.code) ? ` (${at.code})` : ''
    if (at.message !== '' || code !== '') parts.push(`${at.message}${code}`.trim())
  }
  return parts.length === 0 ? String(error) : [...new Set(parts)].join(': ')
}
