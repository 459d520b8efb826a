import type { z } from 'zod'
import type { Place } from '../recording/recording.ts'
import { placeInJson, placeOfFlaw } from './json-place.ts'
import { invalid, type RecordingFile, withFile } from './recording-file.ts'
import { JsonFlaw, parseStrictJson } from './strict-json.ts'

/** Far more than any manifest needs; more than that is not parsed, since its objects would fill the memory. */
const MAX_JSON_BYTES = 32 << 20

/** Throws UNREADABLE_RECORDING or INVALID_RECORDING. */
export function readJsonFile<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  return checkJson({ file: path }, readJsonBytes(path), schema)
}

/** Of a file of JSON. Throws as `readJsonFile` does. */
export function readJsonBytes(path: string): Buffer {
  return withFile(path, bytesOf)
}

export function parseJson<Schema extends z.ZodType>(file: RecordingFile, schema: Schema): z.output<Schema> {
  return checkJson({ file: file.path }, bytesOf(file), schema)
}

function bytesOf(file: RecordingFile): Buffer {
  if (file.size > MAX_JSON_BYTES) {
    const place = { file: file.path, line: 1, byteOffset: MAX_JSON_BYTES }
    throw invalid(place, `has ${file.size} bytes of JSON; at most ${MAX_JSON_BYTES} are read`)
  }
  return file.bytes(0, file.size)
}

/**
 * `json` parsed and checked, or what is wrong with its first wrong member. `place`: where it stands, if that is not the whole of a file
 * in which the member can be told.
 */
export function checkJson<Schema extends z.ZodType>(
  place: Place,
  json: Buffer | string,
  schema: Schema,
): z.output<Schema> {
  const bytes = typeof json === 'string' ? Buffer.from(json) : json
  let value: unknown
  try {
    value = parseStrictJson(bytes)
  } catch (error) {
    if (!(error instanceof JsonFlaw)) throw error
    throw invalid(known(place) ?? placeOfFlaw(place.file, bytes, error), error.message)
  }
  const checked = schema.safeParse(value)
  if (!checked.success) {
    const member = checked.error.issues[0]?.path ?? []
    throw invalid(known(place) ?? placeInJson(place.file, bytes.toString('utf8'), member), describeIssue(checked.error))
  }
  return checked.data
}

const known = ({ file, byteOffset }: Place) => (byteOffset === undefined ? undefined : { file, byteOffset })

/** The first thing that is wrong, with where it is. */
export function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  if (issue === undefined) return 'is not of the form that it must have'
  return `${issue.path.length === 0 ? 'the record' : issue.path.join('.')}: ${issue.message}`
}
