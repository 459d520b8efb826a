import { readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

let claims = 0

/**
 * What has come of a download so far, `<path>.<sha256 of the whole file>.part`. While somebody writes to it, it has his process id and a
 * number behind its name: to rename it is to claim it, which only one can, so that two downloads at once never write to one file. What
 * a process left that is no more can be claimed like what was given up.
 */
export class PartFile {
  /** Claimed, or not there yet. */
  readonly path: string
  readonly #abandoned: string

  constructor(path: string, sha256: string) {
    this.#abandoned = `${path}.${sha256}.part`
    this.path = `${this.#abandoned}.${process.pid}-${claims++}`
    const parts = partsOf(path).filter(({ owner }) => owner === undefined || !isAlive(owner))
    // Parts of what has been published before are of no use any more.
    for (const part of parts) if (part.sha256 !== sha256) rmSync(part.path, { force: true })
    parts.filter((part) => part.sha256 === sha256).some((part) => rename(part.path, this.path))
  }

  /** For the next call to go on with. */
  abandon(): void {
    rename(this.path, this.#abandoned)
  }
}

/** False when somebody else was faster, or there is nothing to rename. */
function rename(from: string, to: string): boolean {
  try {
    renameSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function partsOf(path: string): { path: string; sha256: string; owner: number | undefined }[] {
  const start = `${basename(path)}.`
  return readdirSync(dirname(path)).flatMap((name) => {
    const match = /^([0-9a-f]{64})\.part(?:\.(\d+)-\d+)?$/.exec(name.startsWith(start) ? name.slice(start.length) : '')
    if (!match) return []
    const [, sha256, owner] = match
    return [
      { path: join(dirname(path), name), sha256: sha256!, owner: owner === undefined ? undefined : Number(owner) },
    ]
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
