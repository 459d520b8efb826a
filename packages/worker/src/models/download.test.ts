import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { PlumblineError } from '@plumbline/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeHub, type Misbehaviour, sendRange, sha256 } from '../../test/fake-hub.ts'
import { type DownloadOptions, download } from './download.ts'

const BYTES = randomBytes(300_000)
const HALF = 150_000

let hub: FakeHub
let folder: string
let path: string

beforeEach(async () => {
  hub = new FakeHub(BYTES)
  await hub.start()
  folder = mkdtempSync(join(tmpdir(), 'plumbline-download-'))
  path = join(folder, 'models', 'model.gguf')
})

afterEach(async () => {
  await hub.stop()
  rmSync(folder, { recursive: true })
})

const fetchIt = (options: DownloadOptions = {}) => download(hub.url, path, { retryMs: 1, ...options })

async function failure(options: DownloadOptions = {}): Promise<PlumblineError> {
  return fetchIt(options).then(
    () => expect.fail('the download did not fail'),
    (error) => error as PlumblineError,
  )
}

/** Promises the whole file, sends half of it, and breaks the connection. */
const truncates: Misbehaviour = (_, response, bytes) => {
  response.writeHead(200, { 'content-length': bytes.length })
  response.write(bytes.subarray(0, HALF), () => response.destroy())
}
/** Sends half of the file and says that this is all. */
const endsEarly: Misbehaviour = (_, response, bytes) => void response.end(bytes.subarray(0, HALF))
const ignoresRanges: Misbehaviour = (_, response, bytes) => void response.end(bytes)
const answers =
  (status: number): Misbehaviour =>
  (_, response) =>
    void response.writeHead(status).end()

/** As a call leaves it that fails; that is killed, with the `owner` that it had. */
function leavePart(bytes: Buffer, ofSha256: string, owner = ''): void {
  mkdirSync(dirname(path))
  writeFileSync(`${path}.${ofSha256}.part${owner}`, bytes)
}

function expectComplete(returned: string): void {
  expect(returned).toBe(sha256(BYTES))
  expect(readFileSync(path).equals(BYTES)).toBe(true)
  expect(readdirSync(join(folder, 'models')).sort()).toEqual(['model.gguf', 'model.gguf.sha256'])
}

/** The file is not there, and no record says that it is. */
function expectNothing(): void {
  expect(existsSync(path)).toBe(false)
  expect(existsSync(`${path}.sha256`)).toBe(false)
}

describe('download', () => {
  it('fetches a file through redirects, and records the published sha256', async () => {
    const progress: number[] = []
    expectComplete(await fetchIt({ onProgress: (bytes) => progress.push(bytes) }))
    expect(progress.at(-1)).toBe(BYTES.length)
    expect(hub.ranges).toEqual([undefined])
    // As `sha256sum --check` reads it.
    expect(readFileSync(`${path}.sha256`, 'utf8')).toBe(`${sha256(BYTES)}  model.gguf\n`)
  })

  it.each([
    ['a connection that breaks', truncates],
    ['an answer that ends early', endsEarly],
  ])('goes on after %s', async (_, misbehaviour) => {
    hub.misbehaviours = [misbehaviour]
    expectComplete(await fetchIt())
    expect(hub.ranges).toEqual([undefined, `bytes=${HALF}-`])
  })

  it('goes on where an earlier call was interrupted', async () => {
    const abort = new AbortController()
    hub.misbehaviours = [(_, response, bytes) => void response.write(bytes.subarray(0, HALF))]
    const onProgress = (bytes: number) => bytes === HALF && abort.abort(new Error('Ctrl-C'))
    await expect(fetchIt({ signal: abort.signal, onProgress })).rejects.toThrow('Ctrl-C')
    expectNothing()
    expectComplete(await fetchIt())
    expect(hub.ranges.at(-1)).toBe(`bytes=${HALF}-`)
  })

  it('begins anew when the server sends all of the file instead of the range', async () => {
    hub.misbehaviours = [truncates, ignoresRanges]
    expectComplete(await fetchIt())
  })

  it('begins anew when the part is of a file that has been published again since', async () => {
    leavePart(BYTES.subarray(0, HALF), sha256(Buffer.from('another file')))
    expectComplete(await fetchIt())
    expect(hub.ranges).toEqual([undefined])
  })

  it('goes on with the part of a process that was killed', async () => {
    const { pid } = spawnSync(process.execPath, ['--version'])
    leavePart(BYTES.subarray(0, HALF), sha256(BYTES), `.${pid}-0`)
    expectComplete(await fetchIt())
    expect(hub.ranges).toEqual([`bytes=${HALF}-`])
  })

  it('leaves the part of another process alone that is still at it', async () => {
    const other = `.${process.ppid}-0`
    leavePart(BYTES.subarray(0, HALF), sha256(BYTES), other)
    expect(await fetchIt()).toBe(sha256(BYTES))
    expect(hub.ranges).toEqual([undefined])
    expect(readFileSync(`${path}.${sha256(BYTES)}.part${other}`).equals(BYTES.subarray(0, HALF))).toBe(true)
    rmSync(`${path}.${sha256(BYTES)}.part${other}`)
    expectComplete(sha256(BYTES))
  })

  it('can be called for one file several times at once', async () => {
    leavePart(BYTES.subarray(0, HALF), sha256(BYTES))
    const inPieces: Misbehaviour = async (request, response, bytes) => {
      const from = Number(/\d+/.exec(request.headers.range ?? '0')![0])
      response.writeHead(from === 0 ? 200 : 206, {
        'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
      })
      for (let at = from; at < bytes.length; at += 10_000) {
        response.write(bytes.subarray(at, at + 10_000))
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      response.end()
    }
    hub.misbehaviours = [inPieces, inPieces, inPieces]
    for (const returned of await Promise.all([fetchIt(), fetchIt(), fetchIt()])) expectComplete(returned)
    expect(hub.ranges.toSorted()).toEqual([`bytes=${HALF}-`, undefined, undefined]) // one of them had the part
  })

  it('goes on when the range sent is not the one asked for', async () => {
    const sendsAnotherRange: Misbehaviour = (_, response, bytes) =>
      void response
        .writeHead(206, { 'content-range': `bytes 7-${bytes.length - 1}/${bytes.length}` })
        .end(bytes.subarray(7))
    hub.misbehaviours = [truncates, sendsAnotherRange]
    expectComplete(await fetchIt())
    expect(hub.ranges).toEqual([undefined, `bytes=${HALF}-`, `bytes=${HALF}-`])
  })

  it('goes on after a server that says nothing any more', async () => {
    hub.misbehaviours = [(_, response, bytes) => void response.write(bytes.subarray(0, HALF))]
    expectComplete(await fetchIt({ stallMs: 1_000 }))
  })

  it('tries again when the server is busy', async () => {
    hub.refusals = [503]
    hub.misbehaviours = [answers(429)]
    expectComplete(await fetchIt())
  })

  it('keeps none of wrong bytes', async () => {
    hub.misbehaviours = [(_, response, bytes) => void response.end(Buffer.from(bytes).reverse())]
    const error = await failure()
    expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH', fields: { expected: sha256(BYTES) } })
    expectNothing()
    expect(readdirSync(join(folder, 'models'))).toEqual([])
  })

  it('finds wrong bytes in a part of an earlier call', async () => {
    leavePart(Buffer.alloc(HALF), sha256(BYTES))
    expect(await failure()).toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expectComplete(await fetchIt())
  })

  it('keeps none of more bytes than the file has', async () => {
    hub.misbehaviours = [(_, response, bytes) => void response.end(Buffer.concat([bytes, bytes]))]
    expect(await failure()).toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expectNothing()
    expect(readdirSync(join(folder, 'models'))).toEqual([])
  })

  it.each([
    ['no sha256', { 'x-linked-size': '300000' }],
    ['no size', { 'x-linked-etag': `"${sha256(BYTES)}"` }],
    ['an ETag that is no sha256', { 'x-linked-etag': '"abc"', 'x-linked-size': '300000' }],
  ])('fetches nothing when the Hub publishes %s', async (_, published) => {
    hub.published = published
    // It would not be there the next time either: a second attempt would come after the time limit of this test.
    expect(await failure({ retryMs: 600_000 })).toMatchObject({ code: 'DOWNLOAD_FAILED' })
    expect(hub.ranges).toEqual([])
  })

  it('takes no sha256 from the host that has the bytes', async () => {
    hub.published = {}
    hub.misbehaviours = [
      (_, response) =>
        void response.writeHead(200, { 'x-linked-etag': `"${sha256(BYTES)}"`, 'x-linked-size': '300000' }).end(),
    ]
    expect(await failure()).toMatchObject({ code: 'DOWNLOAD_FAILED' })
  })

  it('does not try again what will not come', async () => {
    hub.refusals = [404]
    expect(await failure({ retryMs: 600_000 })).toMatchObject({ code: 'DOWNLOAD_FAILED', fields: { status: 404 } })
  })

  it('gives up after five attempts that bring nothing', async () => {
    hub.misbehaviours = Array.from({ length: 20 }, () => answers(503))
    expect(await failure()).toMatchObject({ code: 'DOWNLOAD_FAILED' })
    expect(hub.ranges).toHaveLength(5)
  })

  it('does not give up as long as each attempt brings something', async () => {
    const sends10kB: Misbehaviour = (request, response, bytes) => {
      const from = Number(/\d+/.exec(request.headers.range ?? '0')![0])
      const range = `bytes ${from}-${from + 9_999}/${bytes.length}`
      response.writeHead(from === 0 ? 200 : 206, { 'content-range': range }).end(bytes.subarray(from, from + 10_000))
    }
    hub.misbehaviours = [...Array.from({ length: 12 }, () => sends10kB), sendRange]
    expectComplete(await fetchIt())
    expect(hub.ranges).toHaveLength(13)
  })

  it('says what is wrong with an address that leads nowhere', async () => {
    const error = await download('http://127.0.0.1:9/nothing', path, { retryMs: 1 }).catch((error) => error)
    expect(error).toMatchObject({ code: 'DOWNLOAD_FAILED' })
    expect(error.message).toMatch(/127\.0\.0\.1:9/)
  })
})
