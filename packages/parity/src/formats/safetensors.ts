import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { RecordedRun, Recording } from '../recording/recording.ts'
import { checkJson, readJsonFile } from './json-file.ts'
import { FaultList, invalid, RecordingFile } from './recording-file.ts'
import { INDEX_NAME, indexHash, recordingIndexSchema, runsOfIndex } from './recording-index.ts'
import { readSafetensorsHeader, type SafetensorsHeader } from './safetensors-header.ts'
import { type Sidecar, sidecarSchema } from './sidecar.ts'
import { type NamedTensor, runOfTensors } from './tensor-run.ts'

/** In the metadata of what `convert` writes: over the index and all data. */
export const SHA256_NAME = 'plumbline-sha256'

/**
 * Safetensors, each with the JSON of the same name beside it (`prompt-0.safetensors`, `prompt-0.json`): a run a file. Without the
 * JSON nothing is stated but the values. What `convert` wrote holds its runs itself.
 */
export function openSafetensors(path: string, files: readonly string[]): Recording {
  const faults = new FaultList()
  const open: RecordingFile[] = []
  const close = () => {
    for (const file of open) file.close()
  }
  try {
    const runs = files.flatMap((filePath): RecordedRun[] => {
      const file = new RecordingFile(filePath)
      open.push(file)
      const header = readSafetensorsHeader(file)
      const named = new Map([...header.tensors].map(([name, tensor]) => [name, { ...tensor, file }]))
      const { [INDEX_NAME]: index, [SHA256_NAME]: sha256 } = header.metadata
      if (index !== undefined) return convertedRuns(file, header, named, faults)
      if (sha256 !== undefined) throw invalid({ file: filePath, byteOffset: 8 }, `its metadata lack ${INDEX_NAME}`)
      if (named.size === 0) throw invalid({ file: filePath, byteOffset: 8 }, 'its header names no tensor')
      const id = basename(filePath).replace(/\.safetensors$/, '')
      return [runOfTensors(id, named, sidecarBeside(filePath), faults)]
    })
    return { path, format: 'transformers-safetensors', runs, faults: faults.list(), close }
  } catch (error) {
    close()
    throw error
  }
}

const CHUNK_BYTES = 4 << 20

function convertedRuns(
  file: RecordingFile,
  { metadata, dataStart }: SafetensorsHeader,
  named: ReadonlyMap<string, NamedTensor>,
  faults: FaultList,
): RecordedRun[] {
  const text = metadata[INDEX_NAME]!
  const hash = indexHash(text)
  for (let at = dataStart; at < file.size; at += CHUNK_BYTES) hash.update(file.bytes(at, CHUNK_BYTES))
  const sha256 = hash.digest('hex')
  if (sha256 !== metadata[SHA256_NAME]) {
    faults.add('checksum', { file: file.path, byteOffset: 0 }, `the sha256 of its index and data is ${sha256}`)
  }
  return runsOfIndex(checkJson({ file: file.path, byteOffset: 8 }, text, recordingIndexSchema), named, file, faults)
}

/** `x.json` for `x.npy` and the like, if there is one. */
export function sidecarBeside(path: string): Sidecar {
  const json = path.replace(/\.[^./\\]+$/, '.json')
  return json !== path && existsSync(json) ? readJsonFile(json, sidecarSchema) : {}
}
