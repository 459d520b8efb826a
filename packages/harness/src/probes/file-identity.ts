import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

/** One file at one moment: which it is, when it was last written to, and what it holds. */
export interface FileIdentity {
  /** Major and minor number, as /proc/PID/maps writes them: `fe:00`. */
  readonly device: string
  readonly inode: string
  readonly bytes: number
  /** Nanoseconds since 1970. Anyone may set the first one back; nobody the second, without the clock. */
  readonly modifiedNs: string
  readonly changedNs: string
  readonly sha256: string
}

export async function identifyFile(path: string): Promise<FileIdentity> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return {
    device: deviceNumbers(dev),
    inode: String(ino),
    bytes: Number(size),
    modifiedNs: String(mtimeNs),
    changedNs: String(ctimeNs),
    sha256: hash.digest('hex'),
  }
}

/** Linux' dev_t: twelve bits of major number from bit 8, and twenty of minor number around them (makedev(3)). */
function deviceNumbers(dev: bigint): string {
  const major = (dev >> 8n) & 0xfffn
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n)
  return [major, minor].map((number) => number.toString(16).padStart(2, '0')).join(':')
}
