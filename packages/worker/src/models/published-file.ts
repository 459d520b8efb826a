import { PlumblineError } from '@plumbline/protocol/errors'

/** What the Hub says about a file before sending it. */
export interface PublishedFile {
  readonly sha256: string
  readonly bytes: number
  /** Where the bytes are; it expires, so it is asked for anew at each attempt. */
  readonly location: string
}

const MAX_REDIRECTS = 5

/**
 * Asks the Hub about a file. Its answer to a `resolve` address carries the file's sha256 (`X-Linked-ETag`, the LFS object id)
 * and size (`X-Linked-Size`), and redirects to where the bytes are. Those headers count only when they come from the host
 * that was asked: whoever stores the bytes has no say in what they should be.
 *
 * @throws PlumblineError DOWNLOAD_FAILED when the Hub publishes no sha256 and size for it; its field `status` is the HTTP status
 */
export async function askAboutFile(url: string, signal: AbortSignal): Promise<PublishedFile> {
  let location = new URL(url)
  const { origin } = location
  for (let redirects = 0; ; redirects++) {
    const { headers, status } = await fetch(location, { method: 'HEAD', redirect: 'manual', signal })
    if (status >= 400) throw downloadFailed(`${location} answered ${status}`, { status })
    const next = headers.get('location')
    const target = next === null ? location : new URL(next, location)
    const sha256 = headers.get('x-linked-etag')?.replace(/^(W\/)?"(.*)"$/, '$2')
    const bytes = Number(headers.get('x-linked-size') ?? Number.NaN)
    if (sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) && Number.isSafeInteger(bytes) && bytes > 0) {
      return { sha256, bytes, location: target.href }
    }
    if (next === null || target.origin !== origin || redirects === MAX_REDIRECTS) {
      const missing = 'the sha256 and the size of a file (X-Linked-ETag, X-Linked-Size)'
      throw downloadFailed(`${url} was answered without ${missing}`, { status })
    }
    location = target
  }
}

export function downloadFailed(message: string, fields: Record<string, unknown> = {}, cause?: unknown): PlumblineError {
  return new PlumblineError('DOWNLOAD_FAILED', message, fields, cause)
}
