import { rmSync, statSync } from 'node:fs'
import { PlumblineError } from '@plumbline/protocol'
import type { Recording } from '../../recording/recording.ts'
import { invalid, knownPlace } from '../recording-file.ts'
import { OutputFile } from './output-file.ts'
import { writeJsonl } from './write-jsonl.ts'
import { writeNpz } from './write-npz.ts'
import { writeParquet } from './write-parquet.ts'
import { writeSafetensors } from './write-safetensors.ts'

export const WRITTEN_FORMATS = ['safetensors', 'npz', 'parquet', 'jsonl'] as const
export type WrittenFormat = (typeof WRITTEN_FORMATS)[number]

/**
 * All runs and all values in another format, a file; there only once it is whole. A recording with faults is not written: its copy would
 * look sound. Throws INVALID_RECORDING, INVALID_OPTION if `path` is taken, or is no file.
 */
export async function writeRecording(
  recording: Recording,
  format: WrittenFormat,
  path: string,
  options: { readonly overwrite?: boolean } = {},
): Promise<void> {
  const [fault] = recording.faults
  if (fault !== undefined)
    throw invalid(knownPlace(fault), `${fault.message}; a recording with faults is not converted`)
  const there = statSync(path, { throwIfNoEntry: false })
  // What is renamed over it would take its place: of a device or a pipe, for everybody.
  if (there !== undefined && !there.isFile()) {
    throw new PlumblineError('INVALID_OPTION', `${path} is there already, and is no file: it is not replaced`, { path })
  }
  if (there !== undefined && !options.overwrite) {
    throw new PlumblineError('INVALID_OPTION', `${path} is there already; --force overwrites it`, { path })
  }
  try {
    if (format === 'npz') await writeNpz(recording, path)
    else if (format === 'parquet') await writeParquet(recording, path)
    else writeInto(new OutputFile(path), (out) => (format === 'jsonl' ? writeJsonl : writeSafetensors)(recording, out))
  } catch (error) {
    rmSync(`${path}.unfinished`, { force: true })
    throw error
  }
}

function writeInto(out: OutputFile, write: (out: OutputFile) => void): void {
  try {
    write(out)
  } catch (error) {
    out.discard()
    throw error
  }
  out.finish()
}
