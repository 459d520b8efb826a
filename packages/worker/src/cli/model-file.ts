import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { PlumblineError } from '@plumbline/protocol/errors'
import { invalidOption, readingFiles } from '../config/configuration.ts'
import { CATALOG } from '../models/catalog.ts'
import { findModel } from '../models/local-models.ts'
import { verifyRecordedSha256 } from '../models/recorded-sha256.ts'
import type { ModelFile } from '../server/worker.ts'

/**
 * The file that --model names: it is there, begins like a GGUF, and if `pull` fetched it, it is what was published.
 * Everything else is for the engine to find out.
 *
 * @param option what named it, for error messages
 */
export async function findModelFile(model: string | undefined, option = '--model'): Promise<ModelFile> {
  const must = 'must be the path of a GGUF file or the name of a model'
  if (model === undefined) throw new PlumblineError('INVALID_OPTION', `${option} is missing, ${must}`)
  const unreadable = { option, was: model, must: 'must be the path of a GGUF file that can be read' }
  const isFile = readingFiles(unreadable, () => statSync(model, { throwIfNoEntry: false })?.isFile() ?? false)
  const path = isFile ? model : readingFiles(unreadable, () => findModel(model))
  if (path === undefined) {
    const pullable = CATALOG.has(model) ? ` (\`plumbline-worker pull ${model}\` fetches this one)` : ''
    throw invalidOption(option, model, `${must}${pullable}`)
  }
  if (!readingFiles(unreadable, () => beginsLikeGguf(path))) {
    throw invalidOption(option, model, 'must be a GGUF file (it does not begin with "GGUF")')
  }
  await verifyRecordedSha256(path)
  return { name: isFile ? basename(path).replace(/\.gguf$/i, '') : model, path }
}

function beginsLikeGguf(path: string): boolean {
  const magic = Buffer.alloc(4)
  const file = openSync(path, 'r')
  try {
    readSync(file, magic)
  } finally {
    closeSync(file)
  }
  return magic.toString('latin1') === 'GGUF'
}
