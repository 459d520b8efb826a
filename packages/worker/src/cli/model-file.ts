import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { PlumblineError } from '@plumbline/protocol'
import { invalidOption } from '../config/configuration.ts'
import type { ModelFile } from '../server/worker.ts'

/** The file that --model names, known to be there and to begin like a GGUF; everything else is for the engine to find out. */
export function findModelFile(model: string | undefined): ModelFile {
  if (model === undefined) {
    throw new PlumblineError(
      'INVALID_OPTION',
      '--model is missing, must be the path of a GGUF file or the name of a model',
    )
  }
  const path = model
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isFile()) throw invalidOption('--model', model, 'must be the path of a GGUF file or the name of a model')
  if (!beginsLikeGguf(path))
    throw invalidOption('--model', model, 'must be a GGUF file (it does not begin with "GGUF")')
  return { name: basename(path).replace(/\.gguf$/i, ''), path }
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
