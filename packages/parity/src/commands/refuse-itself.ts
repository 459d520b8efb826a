import { statSync } from 'node:fs'
import { join } from 'node:path'
import { PlumblineError } from '@plumbline/protocol'
import { fileSha256 } from '../formats/sha256-file.ts'
import type { Recording } from '../recording/recording.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Throws INVALID_RECORDING where both are one recording, through whichever path, link or copy: that it equals itself shows nothing.
 * A conversion is another form and may be held against what it was made of.
 */
export async function refuseItself(candidate: Recording, reference: Recording): Promise<void> {
  // What is damaged is told as such, and passes in no case.
  if (candidate.faults.length > 0 || !(await isItself(candidate, reference))) return
  const message = `NOTHING COMPARED: a recording compared with itself: ${candidate.path} and ${reference.path} are the same run`
  throw new PlumblineError('INVALID_RECORDING', message, { candidate: candidate.path, reference: reference.path })
}

async function isItself(candidate: Recording, reference: Recording): Promise<boolean> {
  const [a, b] = [statSync(candidate.path), statSync(reference.path)]
  if (a.dev === b.dev && a.ino === b.ino) return true
  const ids = new Set(reference.runs.map(({ id }) => id))
  // Other ids than these are names, and two engines may give one name to a prompt.
  const shared = candidate.runs.some(({ id }) => UUID.test(id) && ids.has(id))
  if (!shared || candidate.format !== reference.format) return false
  const [valuesOfA, valuesOfB] = [valuesPath(candidate), valuesPath(reference)]
  if (statSync(valuesOfA).size !== statSync(valuesOfB).size) return false
  return (await fileSha256(valuesOfA)) === (await fileSha256(valuesOfB))
}

function valuesPath({ format, path }: Recording): string {
  return format === 'plumbline-trace' ? join(path, 'tensors.bin') : path
}
