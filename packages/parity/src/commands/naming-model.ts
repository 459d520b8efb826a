import { PlumblineError } from '@plumbline/protocol'

/** What is wrong with a model file is told by its fields and bytes: here with its name before. */
export function namingModel<T>(path: string, load: () => T): T {
  try {
    return load()
  } catch (error) {
    if (!(error instanceof PlumblineError) || error.message.includes(path)) throw error
    throw new PlumblineError(error.code, `${path}: ${error.message}`, { ...error.fields, file: path }, error)
  }
}
