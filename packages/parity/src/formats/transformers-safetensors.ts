import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { Recording } from '../recording/recording.ts'
import { readJsonFile } from './json-file.ts'
import { FaultList, RecordingFile } from './recording-file.ts'
import { readSafetensorsHeader } from './safetensors-header.ts'
import { type Sidecar, sidecarSchema } from './sidecar.ts'
import { runOfTensors } from './tensor-run.ts'

/**
 * Safetensors, each with the JSON of the same name beside it (`prompt-0.safetensors`, `prompt-0.json`): a run a file. Without the
 * JSON nothing is stated but the values.
 */
export function openSafetensors(path: string, files: readonly string[]): Recording {
  const faults = new FaultList()
  const open: RecordingFile[] = []
  const close = () => {
    for (const file of open) file.close()
  }
  try {
    const runs = files.map((filePath) => {
      const file = new RecordingFile(filePath)
      open.push(file)
      const { tensors } = readSafetensorsHeader(file)
      const id = basename(filePath).replace(/\.safetensors$/, '')
      const named = new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, file }]))
      return runOfTensors(id, named, sidecarBeside(filePath), faults)
    })
    return { path, format: 'transformers-safetensors', runs, faults: faults.list(), close }
  } catch (error) {
    close()
    throw error
  }
}

/** `x.json` for `x.npy` and the like, if there is one. */
export function sidecarBeside(path: string): Sidecar {
  const json = path.replace(/\.[^./\\]+$/, '.json')
  return json !== path && existsSync(json) ? readJsonFile(json, sidecarSchema) : {}
}
