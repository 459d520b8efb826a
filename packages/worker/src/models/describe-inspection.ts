import { PlumblineError } from '@plumbline/protocol'
import type { Inspection } from '../engine-host/inspect-model.ts'
import { checkTokenizerKind } from '../tokenization/tokenizer.ts'
import { describeBytes } from './models-command.ts'

type Value = Inspection['metadata'][string]

/** Why the worker cannot serve this model: what the engine says of it, or its tokenizer; undefined when it can. */
export function problemOf({ problem, metadata }: Inspection): PlumblineError | undefined {
  if (problem !== undefined) return problem
  const model = metadata['tokenizer.ggml.model']
  const pre = metadata['tokenizer.ggml.pre']
  if (typeof model !== 'string') {
    return new PlumblineError('UNSUPPORTED_TOKENIZER', 'the file holds no tokenizer (tokenizer.ggml.model is missing)')
  }
  try {
    checkTokenizerKind({ model, pre: typeof pre === 'string' ? pre : undefined })
    return undefined
  } catch (error) {
    return PlumblineError.from(error)
  }
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
