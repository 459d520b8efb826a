import { basename } from 'node:path'
import type { Recording } from '../recording/recording.ts'
import { readNpyHeader } from './npy-header.ts'
import { FaultList, RecordingFile } from './recording-file.ts'
import { sidecarBeside } from './safetensors.ts'
import { type NamedTensor, runOfTensors } from './tensor-run.ts'

/** Arrays that are checkpoints by their file names (`blk.0.attn_q.npy`), with the JSON of the first one's name beside it, if any. */
export function openNpy(path: string, files: readonly string[]): Recording {
  const faults = new FaultList()
  const open: RecordingFile[] = []
  const close = () => {
    for (const file of open) file.close()
  }
  try {
    const tensors = new Map<string, NamedTensor>()
    for (const filePath of files) {
      const file = new RecordingFile(filePath)
      open.push(file)
      const name = basename(filePath).replace(/\.npy$/, '')
      tensors.set(name, { name, file, ...readNpyHeader(file) })
    }
    const run = runOfTensors(basename(path).replace(/\.npy$/, ''), tensors, sidecarBeside(files[0]!), faults)
    return { path, format: 'npy', runs: [run], faults: faults.list(), close }
  } catch (error) {
    close()
    throw error
  }
}
