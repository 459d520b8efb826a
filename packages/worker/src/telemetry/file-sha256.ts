import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Small enough that hashing one chunk (about 0.2 ms) holds up nobody. */
const CHUNK_BYTES = 128 * 1024

/**
 * The sha256 of a file, in hex. It is remembered under the user's cache folder by device, inode, size and times, so that a model
 * is read through once and not at each start.
 */
export async function fileSha256(path: string): Promise<string> {
  return rememberedOfFile('sha256', path, async () => {
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk)
    return hash.digest('hex')
  })
}

/** A hash of 64 hex digits that is made of a file, remembered by its `kind` as `fileSha256` is. */
export async function rememberedOfFile(kind: string, path: string, compute: () => Promise<string>): Promise<string> {
  const identity = await fileIdentity(path)
  const remembered = join(cacheFolder(), kind, identity)
  const known = await readFile(remembered, 'utf8').catch(() => '')
  if (/^[0-9a-f]{64}$/.test(known)) return known
  const hash = await compute()
  // A file that was written to meanwhile has no one hash.
  if ((await fileIdentity(path)) === identity) await remember(remembered, hash).catch(() => undefined) // a cache that cannot be written is no reason to fail
  return hash
}

async function fileIdentity(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  return [dev, ino, size, mtimeNs, ctimeNs].join('-')
}

async function remember(path: string, sha256: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  const temporary = `${path}.${process.pid}`
  await writeFile(temporary, sha256)
  await rename(temporary, path)
}

function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'plumbline')
}
