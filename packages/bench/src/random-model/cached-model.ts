import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type RandomMix, writeRandomModel } from './random-model.ts'

export { RANDOM_MIXES } from './random-model.ts'

/** Part of the file's name: to be raised when writeRandomModel writes other bytes than before. */
const VERSION = 1

/** The path of a model of 0.5B's shape, made when it is asked for the first time: up to a gigabyte, in the user's cache. */
export async function ensureRandomModel(mix: RandomMix, log: (line: string) => void): Promise<string> {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'plumbline', 'bench')
  const path = join(folder, `random-0.5b-${mix}-v${VERSION}.gguf`)
  if (!existsSync(path)) {
    log(`making ${path}`)
    mkdirSync(folder, { recursive: true })
    await writeRandomModel(path, mix)
  }
  return path
}
