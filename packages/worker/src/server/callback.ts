import { setTimeout as sleep } from 'node:timers/promises'
import type { Callback } from '@plumbline/protocol'
import type { Logger } from '../telemetry/log.ts'

const ATTEMPTS = 10
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 60_000
const ATTEMPT_LIMIT_MS = 10_000

/**
 * POSTs to --callback-url until it is taken (2xx), with waits that double from 0.5 s to 60 s, ten times at most. Redirects are not
 * followed: only the URL that was configured learns about this worker.
 */
export async function postCallback(url: string, body: Callback, log: Logger, signal: AbortSignal): Promise<void> {
  // Credentials and queries may be secrets.
  const shown = new URL(url).origin + new URL(url).pathname
  for (let attempt = 1; !signal.aborted; attempt++) {
    const failure = await post(url, body, signal)
    if (failure === undefined) {
      log.info({ callback_url: shown, attempt }, 'callback delivered')
      return
    }
    if (attempt === ATTEMPTS) {
      log.error({ callback_url: shown, attempt, failure }, 'callback given up')
      return
    }
    log.warn({ callback_url: shown, attempt, failure }, 'callback failed')
    const wait = Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), LONGEST_WAIT_MS)
    await sleep(wait, undefined, { signal, ref: false }).catch(() => undefined)
  }
}

/** What went wrong, or undefined. */
async function post(url: string, body: Callback, signal: AbortSignal): Promise<string | undefined> {
  try {
    const target = new URL(url)
    const { username, password } = target
    target.username = ''
    target.password = ''
    const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
      'base64',
    )
    const response = await fetch(target, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(username !== '' && { authorization: `Basic ${credentials}` }),
      },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_LIMIT_MS)]),
    })
    await response.body?.cancel()
    return response.ok ? undefined : `status ${response.status}`
  } catch (error) {
    const { cause, message } = error as Error
    return cause instanceof Error ? cause.message : message
  }
}
