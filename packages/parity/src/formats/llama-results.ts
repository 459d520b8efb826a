import type { Recording } from '../recording/recording.ts'
import { FaultList, invalid, type RecordingFile, unreadableAt } from './recording-file.ts'
import { SlabTable } from './slab-table.ts'
import { integersOf } from './tensor-run.ts'
import { TensorReader } from './tensor-values.ts'

/** A header with one path and two tensors; a model's is far larger. */
const MAX_HEADER_BYTES = 1 << 20
const ALIGNMENT = 32
const STRING = 8
const F32 = 0
const I32 = 26

/**
 * The GGUF that llama.cpp's `llama-results` writes (tools/results/results.cpp): `path_model`, `tokens` (I32) and `logits` (F32). Its
 * logits are written a row of the vocabulary for each token, and declared the other way around, [tokens, vocabulary] in ggml's order;
 * so the number of tokens tells which is which.
 */
export function openLlamaResults(file: RecordingFile): Recording {
  const header = new Header(file)
  header.skip(4)
  const version = header.u32()
  if (version !== 2 && version !== 3) throw header.bad(`is of GGUF version ${version}; 2 and 3 are read`)
  const tensorCount = header.u64()
  const keyCount = header.u64()
  let model: string | undefined
  for (let index = 0; index < keyCount; index++) {
    const key = header.text()
    if (key === 'general.architecture' || key.startsWith('tokenizer.'))
      throw unreadableAt(header.place, 'is a model; what is read here is what llama-results wrote')
    const type = header.u32()
    if (type !== STRING) throw header.bad(`${key} is of type ${type}, and llama-results writes strings alone`)
    const value = header.text()
    if (key === 'path_model') model = value
  }
  if (model === undefined || tensorCount !== 2) throw unreadableAt(header.place, 'is a GGUF, and not of llama-results')
  const tensors = new Map(Array.from({ length: 2 }, () => header.tensor()).map((tensor) => [tensor.name, tensor]))
  const dataStart = Math.ceil(header.offset / ALIGNMENT) * ALIGNMENT
  const tokens = tensors.get('tokens')
  const logits = tensors.get('logits')
  if (tokens?.type !== I32 || logits?.type !== F32)
    throw unreadableAt(header.place, 'must have tokens of I32 and logits of F32')
  const count = tokens.values
  const vocabSize = logits.values / count
  if (count === 0 || !Number.isInteger(vocabSize) || !logits.shape.includes(vocabSize)) {
    throw header.bad(`has ${count} tokens, and logits of shape [${logits.shape.join(', ')}]`)
  }
  const faults = new FaultList()
  const end = Math.max(dataStart + tokens.offset + 4 * count, dataStart + logits.offset + 4 * logits.values)
  if (end > file.size)
    throw invalid({ file: file.path, byteOffset: file.size }, `ends here, and its tensors at ${end}: it was cut`)
  // The last tensor may be padded as the others are.
  if (file.size !== end && file.size !== Math.ceil(end / ALIGNMENT) * ALIGNMENT) {
    faults.add('wrong-count', { file: file.path, byteOffset: end }, `goes on after its tensors, to byte ${file.size}`)
  }
  if (tokens.offset < logits.offset + 4 * logits.values && logits.offset < tokens.offset + 4 * count) {
    throw header.bad('its tensors overlap')
  }
  const ids = integersOf({ ...tokens, dtype: 'I32', file, offset: dataStart + tokens.offset }, 0, count)
  const foreign = ids.findIndex((id) => id < 0 || id >= vocabSize)
  if (foreign >= 0) {
    const place = { file: file.path, byteOffset: dataStart + tokens.offset + 4 * foreign }
    faults.add('malformed', place, `has token ${ids[foreign]}, outside of its vocabulary`)
  }

  const reader = new TensorReader()
  const slabs = new SlabTable({
    file: file.path,
    values: ({ dataOffset }, first, rows) =>
      reader.read(file, dataOffset + first * vocabSize * 4, 'F32', rows * vocabSize),
  })
  const offset = dataStart + logits.offset
  slabs.add({
    checkpoint: 'logits',
    width: vocabSize,
    phase: 'prefill',
    pos: 0,
    count,
    perRow: vocabSize,
    dtype: 'F32',
    dataOffset: offset,
    order: 0,
    byteOffset: offset,
  })
  const identity = {
    engine: 'llama.cpp',
    modelName: model.split(/[\\/]/).at(-1)!,
    vocabSize,
    promptTokenIds: [...ids],
    ropeOrder: 'gguf' as const,
  }
  const runs = [{ id: 'llama-results', identity, checkpoints: slabs.checkpoints }]
  return { path: file.path, format: 'llama-results-gguf', runs, faults: faults.list(), close: () => file.close() }
}

/** Little-endian, never past its end. */
class Header {
  readonly #file: RecordingFile
  readonly #bytes: Buffer
  offset = 0

  constructor(file: RecordingFile) {
    this.#file = file
    this.#bytes = file.bytes(0, MAX_HEADER_BYTES)
  }

  bad(message: string) {
    return invalid(this.place, message)
  }

  /** After what was read. */
  get place() {
    return { file: this.#file.path, byteOffset: this.offset }
  }

  skip(length: number): number {
    const at = this.offset
    if (!(length <= this.#bytes.length - at)) throw this.bad(`must go on for ${length} bytes: it was cut`)
    this.offset += length
    return at
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.skip(4))
  }

  u64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.skip(8)))
  }

  text(): string {
    const length = this.u64()
    const at = this.skip(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  tensor() {
    const name = this.text()
    const rank = this.u32()
    if (rank < 1 || rank > 4) throw this.bad(`${name} has rank ${rank}`)
    const shape = Array.from({ length: rank }, () => this.u64())
    const values = shape.reduce((product, dimension) => product * dimension, 1)
    if (!Number.isSafeInteger(values) || values > 2 ** 48) throw this.bad(`${name} has shape [${shape.join(', ')}]`)
    return { name, shape, values, type: this.u32(), offset: this.u64() }
  }
}
