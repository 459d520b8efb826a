import type { z } from 'zod'
import type { Place } from '../recording/recording.ts'
import { placeInJson } from './json-place.ts'
import { invalid, RecordingFile } from './recording-file.ts'

/** Far more than any manifest needs; more than that is not parsed, since its objects would fill the memory. */
const MAX_JSON_BYTES = 32 << 20

/** Throws UNREADABLE_RECORDING or INVALID_RECORDING. */
export function readJsonFile<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  return checkJson({ file: path }, readText(path), schema)
}

/** Of a file of JSON. Throws as `readJsonFile` does. */
export function readText(path: string): string {
  const file = new RecordingFile(path)
  try {
    return textOf(file)
  } finally {
    file.close()
  }
}

export function parseJson<Schema extends z.ZodType>(file: RecordingFile, schema: Schema): z.output<Schema> {
  return checkJson({ file: file.path }, textOf(file), schema)
}

function textOf(file: RecordingFile): string {
  if (file.size > MAX_JSON_BYTES) {
    const place = { file: file.path, line: 1, byteOffset: MAX_JSON_BYTES }
    throw invalid(place, `has ${file.size} bytes of JSON; at most ${MAX_JSON_BYTES} are read`)
  }
  return file.bytes(0, file.size).toString('utf8')
}

/**
 * `text` parsed and checked, or what is wrong with its first wrong member. `place`: where the text stands, if that is not the whole of
 * a file in which the member can be told.
 */
export function checkJson<Schema extends z.ZodType>(place: Place, text: string, schema: Schema): z.output<Schema> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw invalid(known(place) ?? placeInJson(place.file, text), `is not JSON: ${jsonProblem(error)}`)
  }
  const checked = schema.safeParse(value)
  if (!checked.success) {
    const member = checked.error.issues[0]?.path ?? []
    throw invalid(known(place) ?? placeInJson(place.file, text, member), describeIssue(checked.error))
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

/** What JSON.parse says, on one line. */
export function jsonProblem(error: unknown): string {
  return (error as Error).message.replace(/\s+/g, ' ')
}
