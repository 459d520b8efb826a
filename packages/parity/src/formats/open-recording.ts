import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Recording } from '../recording/recording.ts'
import { openPlumblineTrace } from './plumbline-trace.ts'
import { RecordingFile, unreadable } from './recording-file.ts'
import { looksLikeSafetensors } from './safetensors-header.ts'
import { openSafetensors } from './transformers-safetensors.ts'

/**
 * Opens a file or folder that holds recorded values, in whichever format its content shows. Throws UNREADABLE_RECORDING where there is
 * nothing, or nothing known, and INVALID_RECORDING where the damage leaves nothing to look at; lesser damage is in `faults`.
 */
export async function openRecording(path: string): Promise<Recording> {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) throw unreadable(path, 'is not there')
  return stats.isDirectory() ? openFolder(path) : openFile(path)
}

async function openFolder(path: string): Promise<Recording> {
  if (existsSync(join(path, 'manifest.json'))) return openPlumblineTrace(path)
  const safetensors = readdirSync(path)
    .sort()
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile() && isSafetensors(file))
  if (safetensors.length > 0) return openSafetensors(path, safetensors)
  throw unreadable(path, 'holds no recording: no manifest.json, and no safetensors')
}

async function openFile(path: string): Promise<Recording> {
  if (isSafetensors(path)) return openSafetensors(path, [path])
  throw unreadable(path, 'is in no format that is known')
}

function isSafetensors(path: string): boolean {
  const file = new RecordingFile(path)
  try {
    return looksLikeSafetensors(file, file.bytes(0, 16))
  } finally {
    file.close()
  }
}
