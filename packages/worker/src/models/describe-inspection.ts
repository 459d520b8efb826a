import { PlumblineError } from '@plumbline/protocol/errors'
import type { Inspection } from '../engine-host/inspect-model.ts'
import { checkTokenizerParts } from '../tokenization/tokenizer-parts.ts'
import { describeBytes } from './models-command.ts'

type Value = Inspection['metadata'][string]

/** Why the worker cannot serve this model: what the engine says of it, or its tokenizer; undefined when it can. */
export function problemOf({ problem, metadata }: Inspection): PlumblineError | undefined {
  if (problem !== undefined) return problem
  try {
    checkTokenizerParts({
      model: textIn(metadata['tokenizer.ggml.model']),
      pre: textIn(metadata['tokenizer.ggml.pre']),
      tokens: lengthOf(metadata['tokenizer.ggml.tokens'], 'string'),
      tokenTypes: lengthOf(metadata['tokenizer.ggml.token_type'], 'i32', 'u32'),
      merges: lengthOf(metadata['tokenizer.ggml.merges'], 'string'),
      scores: lengthOf(metadata['tokenizer.ggml.scores'], 'f32'),
    })
    return undefined
  } catch (error) {
    return PlumblineError.from(error)
  }
}

const textIn = (value: Value | undefined) => (typeof value === 'string' ? value : undefined)

/** Of an array with elements of such a type. */
function lengthOf(value: Value | undefined, ...types: string[]): number | undefined {
  const isArray = value !== undefined && value !== null && typeof value === 'object'
  return isArray && types.includes(value.array) ? value.length : undefined
}

/** For people: what the file holds, and whether it can be run. */
export function describeInspection(path: string, inspection: Inspection): string {
  const { version, fileBytes, architecture, name, quantKind, parameters, metadata, tensors } = inspection
  const problem = problemOf(inspection)
  const keys = Object.keys(metadata)
  return [
    path,
    `GGUF ${version}, ${describeBytes(fileBytes)}${name === undefined ? '' : `, "${name}"`}`,
    `${architecture ?? 'no architecture'}, ${quantKind}, ${parameters.toLocaleString('en')} parameters`,
    '',
    `Metadata (${keys.length})`,
    ...columns(keys.map((key) => [key, describeValue(metadata[key]!)])),
    '',
    `Tensors (${tensors.length}; the contiguous dimension first)`,
    ...columns(tensors.map(({ name, type, shape, bytes }) => [name, type, shape.join(' x '), describeBytes(bytes)])),
    '',
    problem === undefined ? 'It can be run.' : `It cannot be run: ${problem.message} (${problem.code})`,
    '',
  ].join('\n')
}

const LONGEST_VALUE = 100

function describeValue(value: Value): string {
  if (value !== null && typeof value === 'object') return `${value.length.toLocaleString('en')} x ${value.array}`
  const text = JSON.stringify(value)
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}… (${text.length} characters)`
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd())
}
