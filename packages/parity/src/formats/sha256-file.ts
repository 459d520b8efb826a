import { createHash } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { RecordingFile } from './recording-file.ts'
import { unreadable } from './recording-file.ts'

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

/** Lower-case hexadecimal, over the bytes before `end`. Small files here, larger ones on a thread of their own. */
export async function sha256OfFile(file: RecordingFile, end = file.size): Promise<string> {
  if (end <= CHUNK_BYTES) return createHash('sha256').update(file.bytes(0, end)).digest('hex')
  return new Promise((resolve, reject) => {
    const thread = new Worker(HASH_IN_THREAD, { eval: true, execArgv: [], workerData: { path: file.path, end } })
    thread.once('message', resolve)
    // After a message this changes nothing.
    thread.once('exit', (code) => reject(unreadable(file.path, `cannot be hashed: the thread ended with code ${code}`)))
    thread.once('error', (error) => reject(unreadable(file.path, `cannot be hashed: ${error.message}`, error)))
  })
}
