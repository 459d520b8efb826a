import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The chromium on PATH, if there is one (Debian package `chromium`). */
export function findChromium(): string | undefined {
  const candidates = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'chromium'))
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
