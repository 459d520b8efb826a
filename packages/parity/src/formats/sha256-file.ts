import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { statsOf, unreadable, withFile } from './recording-file.ts'

const CHUNK_BYTES = 1 << 20

/** What the thread runs: hashing is bound by one core, and two recordings are opened at once. */
const HASH_IN_THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const { openSync, readSync } = require('node:fs')
const { createHash } = require('node:crypto')
const hash = createHash('sha256')
const buffer = Buffer.allocUnsafe(${CHUNK_BYTES})
const file = openSync(workerData.path, 'r')
for (let at = 0, count = 0; at < workerData.end; at += count) {
  count = readSync(file, buffer, 0, Math.min(buffer.length, workerData.end - at), at)
  if (count === 0) break
  hash.update(buffer.subarray(0, count))
}
parentPort.postMessage(hash.digest('hex'))
`

/**
 * Lower-case hexadecimal, over the bytes before `end`. Small files here, larger ones on a thread of their own. Throws
 * UNREADABLE_RECORDING where there is no file that can be read.
 */
export async function fileSha256(path: string, end?: number): Promise<string> {
  const stats = statsOf(path)
  if (!stats.isFile()) throw unreadable(path, 'is no file')
  const size = end ?? stats.size
  if (size <= CHUNK_BYTES)
    return withFile(path, (file) => createHash('sha256').update(file.bytes(0, size)).digest('hex'))
  return new Promise((resolve, reject) => {
    const thread = new Worker(HASH_IN_THREAD, { eval: true, execArgv: [], workerData: { path, end: size } })
    thread.once('message', resolve)
    // After a message this changes nothing.
    thread.once('exit', (code) => reject(unreadable(path, `cannot be hashed: the thread ended with code ${code}`)))
    thread.once('error', (error) => reject(unreadable(path, `cannot be hashed: ${error.message}`, error)))
  })
}
