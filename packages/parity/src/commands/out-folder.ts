import { existsSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { invalidOption } from './option-kinds.ts'

/** Where traces go: the folder that was asked for, or one that is not to be kept. */
export function outFolder(out: string | undefined): { folder: string; keep: boolean } {
  if (out === undefined) return { folder: mkdtempSync(join(tmpdir(), 'plumbline-parity-')), keep: false }
  if (existsSync(out) && readdirSync(out).length > 0) {
    throw invalidOption('--out', out, 'must be a folder that is empty or not there yet')
  }
  mkdirSync(out, { recursive: true })
  return { folder: out, keep: true }
}
