import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where `pull` puts models: `$PLUMBLINE_MODELS`, or a folder of the user's cache (XDG Base Directory Specification). */
export function modelsFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.PLUMBLINE_MODELS) return environment.PLUMBLINE_MODELS
  const cache = environment.XDG_CACHE_HOME?.startsWith('/') ? environment.XDG_CACHE_HOME : join(homedir(), '.cache')
  return join(cache, 'plumbline', 'models')
}
