import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The Chromium or Chrome on PATH, if there is one (Debian package `chromium`). */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const candidates = ['chromium', 'google-chrome'].flatMap((name) => folders.map((folder) => join(folder, name)))
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
