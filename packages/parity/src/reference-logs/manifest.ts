import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { PlumblineError } from '@plumbline/protocol'
import { z } from 'zod'
import { statsOf, unreadable } from '../formats/recording-file.ts'
import { fileSha256 } from '../formats/sha256-file.ts'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
/** NMSE. */
const bound = z.number().positive()

const entrySchema = z.strictObject({
  /** What to open: one of `files`. Paths are relative to the manifest's folder, with `/`. */
  recording: z.string(),
  /** All that it consists of, and its hashes. */
  files: z.record(z.string(), sha256),
  engine: z.string(),
  version: z.string(),
  model: z.strictObject({ file: z.string(), sha256 }),
  /** One array a prompt, in the order of the recording's runs. */
  prompt_token_ids: z.array(z.array(z.int().min(0)).min(1)).min(1),
  /** The most NMSE of a row of logits that the worker may have against it, whatever the ladder allows. */
  tolerance: z.strictObject({ exact: bound, fast: bound }),
  /** The command that makes it, from the repository's root. */
  made_by: z.string(),
})

const manifestSchema = z.strictObject({ v: z.literal(1), recordings: z.array(entrySchema).min(1) })
export type ReferenceLog = z.output<typeof entrySchema>
export type ReferenceLogs = z.output<typeof manifestSchema>

/** The manifest of a folder of recorded references; undefined where its manifest.json is of something else. */
export function readReferenceLogs(path: string): ReferenceLogs | undefined {
  if (!statsOf(path).isFile()) throw unreadable(path, 'is no file')
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new PlumblineError('INVALID_RECORDING', `${path} is no JSON: ${(error as Error).message}`, { path })
  }
  if (typeof json !== 'object' || json === null || !('recordings' in json)) return undefined
  const { success, data, error } = manifestSchema.safeParse(json)
  if (success) return data
  const [issue] = error.issues
  throw new PlumblineError('INVALID_RECORDING', `${path}: ${issue!.path.join('.')}: ${issue!.message}`, { path })
}

/** Throws CHECKSUM_MISMATCH where a file is not what was recorded, UNREADABLE_RECORDING where it is not there. */
export async function verifyFiles(manifestPath: string, { files }: ReferenceLog): Promise<void> {
  for (const [file, expected] of Object.entries(files)) {
    const path = join(dirname(manifestPath), file)
    const actual = await fileSha256(path)
    if (actual === expected) continue
    const message = `UNTRUSTED REFERENCE: ${path} was changed since it was recorded: its sha256 is ${actual}, and ${manifestPath} says ${expected}`
    throw new PlumblineError('CHECKSUM_MISMATCH', message, { path, actual, expected })
  }
}
