import { PlumblineError } from '@plumbline/protocol'
import { type ByteSource, fileSource } from './byte-source.ts'
import { GgufCursor, invalidGguf } from './gguf-cursor.ts'
import { describeTypeId, TENSOR_TYPES, type TensorType, tensorTypeOf } from './tensor-types.ts'

export type GgufScalar = number | bigint | boolean | string
export type GgufValue = GgufScalar | GgufScalar[]

export interface GgufTensor {
  readonly name: string
  /** In ggml's order: the first is the length of a row, contiguous in memory. */
  readonly shape: readonly number[]
  readonly type: TensorType
  /** From the start of the file, in bytes. */
  readonly offset: number
  readonly nbytes: number
}

export interface GgufFile {
  readonly version: number
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: ReadonlyMap<string, GgufTensor>
  tensorBytes(name: string): Uint8Array<ArrayBuffer>
}

/** 'GGUF', little-endian. */
const MAGIC = 0x46554747
const DEFAULT_ALIGNMENT = 32
const MAX_RANK = 4
/** GGML_MAX_NAME, less the terminator that the file does not hold. */
const MAX_TENSOR_NAME_BYTES = 63
const MAX_KEY_BYTES = 65_535

/** Metadata value types by id, with the fewest bytes that one takes; 9, the array, is read apart. */
const VALUE_TYPES: Readonly<Record<number, { read: (c: GgufCursor) => (field: string) => GgufScalar; bytes: number }>> =
  {
    0: { read: (c) => c.u8, bytes: 1 },
    1: { read: (c) => c.i8, bytes: 1 },
    2: { read: (c) => c.u16, bytes: 2 },
    3: { read: (c) => c.i16, bytes: 2 },
    4: { read: (c) => c.u32, bytes: 4 },
    5: { read: (c) => c.i32, bytes: 4 },
    6: { read: (c) => c.f32, bytes: 4 },
    7: { read: (c) => c.bool, bytes: 1 },
    8: { read: (c) => c.string, bytes: 8 },
    10: { read: (c) => c.u64, bytes: 8 },
    11: { read: (c) => c.i64, bytes: 8 },
    12: { read: (c) => c.f64, bytes: 8 },
  }
const ARRAY_TYPE = 9

/**
 * Reads the header of a GGUF file, version 2 or 3 (ggml/docs/gguf.md): header, metadata, tensor table, padding, tensor data.
 * Throws INVALID_GGUF with the field and offset, UNSUPPORTED_TENSOR_TYPE with the tensor, or MODEL_NOT_FOUND.
 */
export function readGguf(path: string): GgufFile {
  return parseGguf(fileSource(path))
}

export function parseGguf(source: ByteSource): GgufFile {
  const cursor = new GgufCursor(source)
  const magic = cursor.u32('magic')
  if (magic !== MAGIC) throw invalidGguf('magic', 0, `is 0x${magic.toString(16)}, must be 'GGUF'`)
  const version = cursor.u32('version')
  if (version !== 2 && version !== 3) {
    const hint =
      version === 1 ? ', convert the file anew' : version % 65_536 === 0 ? ': big-endian files are not read' : ''
    throw invalidGguf('version', 4, `is ${version}, must be 2 or 3${hint}`)
  }
  // At least: a name's length, rank, one dimension, type, offset; a key's length, type, one byte.
  const tensorCount = cursor.count('tensor_count', 8 + 4 + 8 + 4 + 8)
  const metadataCount = cursor.count('metadata_kv_count', 8 + 4 + 1)
  const metadata = readMetadata(cursor, metadataCount)
  const alignment = alignmentOf(metadata)
  const table = Array.from({ length: tensorCount }, (_, index) => readTensorInfo(cursor, index))
  const dataStart = Math.ceil(cursor.offset / alignment) * alignment
  const tensors = placeTensors(table, dataStart, alignment, source.size)

  return {
    version,
    metadata,
    tensors,
    tensorBytes(name) {
      const tensor = tensors.get(name)
      if (tensor === undefined) throw new PlumblineError('INVALID_GGUF', `tensor ${name} is missing`, { field: name })
      return source.read(tensor.offset, tensor.nbytes)
    },
  }
}

function readMetadata(cursor: GgufCursor, count: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>()
  for (let index = 0; index < count; index++) {
    const at = cursor.offset
    const key = cursor.string(`metadata key ${index}`)
    if (key === '' || Buffer.byteLength(key) > MAX_KEY_BYTES) {
      throw invalidGguf(`metadata key ${index}`, at, `must have 1 to ${MAX_KEY_BYTES} bytes`)
    }
    if (metadata.has(key)) throw invalidGguf(key, at, 'occurs twice')
    metadata.set(key, readValue(cursor, key))
  }
  return metadata
}

function readValue(cursor: GgufCursor, key: string): GgufValue {
  const at = cursor.offset
  const type = cursor.u32(`${key} (type)`)
  if (type !== ARRAY_TYPE) return valueType(type, key, at).read(cursor)(key)

  const elementAt = cursor.offset
  const elementType = cursor.u32(`${key} (element type)`)
  if (elementType === ARRAY_TYPE) throw invalidGguf(key, elementAt, 'is an array of arrays, which is not supported')
  const element = valueType(elementType, key, elementAt)
  const length = cursor.count(`${key} (array length)`, element.bytes)
  const read = element.read(cursor)
  return Array.from({ length }, () => read(key))
}

function valueType(type: number, key: string, offset: number) {
  const known = VALUE_TYPES[type]
  if (known === undefined) throw invalidGguf(key, offset, `has value type ${type}, must be 0 to 12`)
  return known
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT
  if (typeof alignment !== 'number' || !Number.isInteger(Math.log2(alignment)) || alignment < 8) {
    const message = `general.alignment is ${alignment}, must be a power of two of at least 8`
    throw new PlumblineError('INVALID_GGUF', message, { field: 'general.alignment' })
  }
  return alignment
}

interface TensorInfo extends Omit<GgufTensor, 'offset'> {
  /** From the start of the tensor data. */
  readonly dataOffset: number | bigint
  /** Where the file says so. */
  readonly at: number
}

function readTensorInfo(cursor: GgufCursor, index: number): TensorInfo {
  const at = cursor.offset
  const name = cursor.string(`tensor ${index} (name)`)
  if (name === '' || Buffer.byteLength(name) > MAX_TENSOR_NAME_BYTES) {
    throw invalidGguf(`tensor ${index} (name)`, at, `must have 1 to ${MAX_TENSOR_NAME_BYTES} bytes`)
  }
  const rank = cursor.u32(`${name} (rank)`)
  if (rank < 1 || rank > MAX_RANK) throw invalidGguf(name, at, `has rank ${rank}, must be 1 to ${MAX_RANK}`)
  const shape = Array.from({ length: rank }, () => cursor.u64(`${name} (shape)`))
  const typeId = cursor.u32(`${name} (type)`)
  const type = tensorTypeOf(typeId)
  if (type === undefined) {
    const message = `tensor ${name} is of type ${describeTypeId(typeId)}; supported: ${Object.keys(TENSOR_TYPES).join(' ')}`
    throw new PlumblineError('UNSUPPORTED_TENSOR_TYPE', message, { tensor: name, type: typeId })
  }
  const { blockLength, blockBytes } = TENSOR_TYPES[type]
  const values = shape.reduce<bigint>((product, dimension) => product * BigInt(dimension), 1n)
  const nbytes = Number((values / BigInt(blockLength)) * BigInt(blockBytes))
  if (values === 0n || !Number.isSafeInteger(nbytes)) {
    throw invalidGguf(name, at, `has shape [${shape.join(', ')}], which is no size`)
  }
  if (Number(shape[0]) % blockLength !== 0) {
    throw invalidGguf(name, at, `has rows of ${shape[0]} values, must be a multiple of ${type}'s ${blockLength}`)
  }
  return { name, shape: shape.map(Number), type, nbytes, dataOffset: cursor.u64(`${name} (offset)`), at }
}

/** Checks that each tensor lies in the file, aligned, named once, and clear of all others. */
function placeTensors(table: readonly TensorInfo[], dataStart: number, alignment: number, fileSize: number) {
  const tensors = new Map<string, GgufTensor>()
  for (const { dataOffset, at, ...info } of table) {
    if (tensors.has(info.name)) throw invalidGguf(info.name, at, 'is in the tensor table twice')
    const offset = dataStart + Number(dataOffset)
    if (Number(dataOffset) % alignment !== 0) {
      throw invalidGguf(info.name, at, `has offset ${dataOffset}, must be a multiple of ${alignment}`)
    }
    if (offset + info.nbytes > fileSize) {
      const range = `bytes ${offset} to ${offset + info.nbytes}`
      throw invalidGguf(info.name, at, `its data would be ${range}, the file has ${fileSize}`)
    }
    tensors.set(info.name, { ...info, offset })
  }
  const inOrder = [...tensors.values()].sort((a, b) => a.offset - b.offset)
  for (const [index, tensor] of inOrder.entries()) {
    const before = inOrder[index - 1]
    if (before !== undefined && before.offset + before.nbytes > tensor.offset) {
      throw invalidGguf(tensor.name, tensor.offset, `overlaps ${before.name}`)
    }
  }
  return tensors
}
