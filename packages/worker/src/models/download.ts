import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlumblineError } from '@plumbline/protocol/errors'
import { PartFile } from './part-file.ts'
import { askAboutFile, downloadFailed, type PublishedFile } from './published-file.ts'
import { checksumMismatch, recordSha256 } from './recorded-sha256.ts'

export interface DownloadOptions {
  readonly onProgress?: (bytes: number, total: number) => void
  readonly signal?: AbortSignal
  /** An attempt that receives nothing for so long is given up. */
  readonly stallMs?: number
  /** Before the second attempt; doubles with each attempt in a row that brings nothing. */
  readonly retryMs?: number
}

/** In a row, without a byte gained. */
const FRUITLESS_ATTEMPTS = 5

/**
 * Fetches a file from the Hub to `path`, whole and with the sha256 that the Hub publishes for it, or not at all. What has come
 * of it lies beside it until then (part-file.ts), and is gone on with after a break, in this call or in the next.
 *
 * @returns the sha256, also recorded in `<path>.sha256`
 * @throws PlumblineError DOWNLOAD_FAILED, or CHECKSUM_MISMATCH when the bytes are wrong (and then none of them are kept)
 */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<string> {
  const { stallMs = 30_000, retryMs = 1_000 } = options
  await mkdir(dirname(path), { recursive: true })
  for (let fruitless = 0, reached = 0; ; ) {
    const attempt = new Attempt(path, stallMs, options)
    try {
      return await attempt.run(url)
    } catch (error) {
      options.signal?.throwIfAborted()
      fruitless = attempt.bytes > reached ? 1 : fruitless + 1
      reached = Math.max(reached, attempt.bytes)
      if (!isWorthRetrying(error) || fruitless >= FRUITLESS_ATTEMPTS) throw asDownloadFailure(error, url)
      await sleep(retryMs * 2 ** (fruitless - 1), undefined, options.signal && { signal: options.signal })
    }
  }
}

/** One try to bring the part to its full length. */
class Attempt {
  readonly #path: string
  readonly #options: DownloadOptions
  readonly #stall = new AbortController()
  readonly #stallTimer: NodeJS.Timeout
  /** Of the part that are on disk, and that the hash has seen. */
  bytes = 0
  #hash = createHash('sha256')
  #part!: PartFile

  constructor(path: string, stallMs: number, options: DownloadOptions) {
    this.#path = path
    this.#options = options
    this.#stallTimer = setTimeout(() => this.#stall.abort(stalled(stallMs)), stallMs)
  }

  async run(url: string): Promise<string> {
    const signal = AbortSignal.any([this.#stall.signal, ...(this.#options.signal ? [this.#options.signal] : [])])
    try {
      const published = await askAboutFile(url, signal)
      this.#part = new PartFile(this.#path, published.sha256)
      try {
        await this.#takeUpPart()
        if (this.bytes !== published.bytes) await this.#fetchRest(published, signal)
        return await this.#accept(published)
      } finally {
        this.#part.abandon()
      }
    } finally {
      clearTimeout(this.#stallTimer)
    }
  }

  /** Goes on from the part that is there. */
  async #takeUpPart(): Promise<void> {
    if (!existsSync(this.#part.path)) return
    for await (const chunk of createReadStream(this.#part.path)) this.#count(chunk)
  }

  async #fetchRest(published: PublishedFile, signal: AbortSignal): Promise<void> {
    const range: Record<string, string> = this.bytes === 0 ? {} : { range: `bytes=${this.bytes}-` }
    // As they are: a range of compressed bytes would be of no use.
    const response = await fetch(published.location, { headers: { 'accept-encoding': 'identity', ...range }, signal })
    if (!response.ok || response.body === null) {
      if (response.status === 416) await this.#discardPart()
      throw downloadFailed(`${where(published)} answered ${response.status}`, { status: response.status })
    }
    // A server that does not know ranges sends the whole file, and one that sends another range is not to be trusted.
    if (response.status !== 206) await this.#discardPart()
    else if (rangeStart(response) !== this.bytes) throw downloadFailed(`${where(published)} sends another range`)
    const file = await open(this.#part.path, 'a')
    try {
      for await (const chunk of response.body) {
        if (this.bytes + chunk.length > published.bytes) throw await this.#wrong(tooMuch(published))
        await file.write(chunk)
        this.#count(chunk)
        this.#options.onProgress?.(this.bytes, published.bytes)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    if (this.bytes < published.bytes) {
      throw downloadFailed(`${where(published)} ended after ${this.bytes} of ${published.bytes} bytes`)
    }
  }

  async #accept(published: PublishedFile): Promise<string> {
    const sha256 = this.#hash.digest('hex')
    if (sha256 !== published.sha256) {
      throw await this.#wrong(checksumMismatch(where(published), published.sha256, sha256))
    }
    // The record goes first: a file without one would never be checked again.
    await recordSha256(this.#path, sha256)
    await rename(this.#part.path, this.#path)
    return sha256
  }

  #count(chunk: Uint8Array): void {
    this.#stallTimer.refresh()
    this.#hash.update(chunk)
    this.bytes += chunk.length
  }

  async #discardPart(): Promise<void> {
    await rm(this.#part.path, { force: true })
    this.bytes = 0
    this.#hash = createHash('sha256')
  }

  /** None of wrong bytes are kept. */
  async #wrong(error: PlumblineError): Promise<PlumblineError> {
    await this.#discardPart()
    return error
  }
}

const where = ({ location }: PublishedFile) => new URL(location).origin

const rangeStart = ({ headers }: Response) => Number(/^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1])

const stalled = (stallMs: number) => downloadFailed(`nothing came for ${stallMs / 1_000} s`)

const tooMuch = (published: PublishedFile) =>
  new PlumblineError(
    'CHECKSUM_MISMATCH',
    `${where(published)} sends more than the ${published.bytes} bytes of the file`,
  )

/** Broken connections, silence, busy servers. Not: any other answer, a full disk, wrong bytes. */
function isWorthRetrying(error: unknown): boolean {
  if (error instanceof PlumblineError) {
    const status = error.fields.status as number | undefined
    if (error.code !== 'DOWNLOAD_FAILED') return false
    return status === undefined || status >= 500 || status === 408 || status === 416 || status === 429
  }
  return error instanceof TypeError // fetch's network errors
}

function asDownloadFailure(error: unknown, url: string): PlumblineError {
  if (error instanceof PlumblineError) return error
  const { message, cause } = error as Error
  const detail = cause instanceof Error ? `${message} (${cause.message})` : message
  return downloadFailed(`${url} cannot be downloaded: ${detail}`, {}, error)
}
