import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { PACKAGE_ROOT } from '../package-files.ts'
import { modelsFolder } from './models-folder.ts'

export interface LocalModel {
  readonly name: string
  readonly path: string
  readonly bytes: number
}

/** The folders that models are looked for in, in this order: of the repository or beside the installed package, then of `pull`. */
export function modelFolders(environment: NodeJS.ProcessEnv = process.env): string[] {
  const haikuNano = [join(PACKAGE_ROOT, '../../models/haiku-nano'), join(PACKAGE_ROOT, '../haiku-nano')]
  return [...haikuNano, modelsFolder(environment)]
}

/** Every GGUF file in these folders, named after the file. */
export function listModels(folders: readonly string[] = modelFolders()): LocalModel[] {
  return folders.filter(isFolder).flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.gguf') && isFile(join(folder, file)))
      .sort()
      .map((file) => {
        const path = join(folder, file)
        return { name: basename(file, '.gguf'), path, bytes: statSync(path).size }
      }),
  )
}

/** The file of the model of that name, its Q8_0 when the name says no type; undefined when there is none. */
export function findModel(name: string, folders: readonly string[] = modelFolders()): string | undefined {
  if (basename(name) !== name) return undefined
  return folders.flatMap((folder) => [join(folder, `${name}.gguf`), join(folder, `${name}-q8_0.gguf`)]).find(isFile)
}

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/** Not a folder, nor a link that leads nowhere. */
function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}
