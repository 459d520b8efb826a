import { readFileSync, writeFileSync } from 'node:fs'
import { readGguf } from '@plumbline/reference'

/**
 * Writes a copy of a model in which two matrices of one shape have changed places: the same architecture, names and size, and
 * another model.
 */
export function exchangeTensors(path: string, names: readonly [string, string], copyPath: string): void {
  const [first, second] = names.map((name) => readGguf(path).tensors.get(name)!)
  if (first === undefined || second === undefined || first.nbytes !== second.nbytes || first.type !== second.type) {
    throw new Error(`${path}: ${names.join(' and ')} are not two tensors of one size`)
  }
  const bytes = readFileSync(path)
  const kept = Buffer.from(bytes.subarray(first.offset, first.offset + first.nbytes))
  bytes.copy(bytes, first.offset, second.offset, second.offset + second.nbytes)
  kept.copy(bytes, second.offset)
  writeFileSync(copyPath, bytes)
}
