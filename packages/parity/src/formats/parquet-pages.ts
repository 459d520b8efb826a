import type { FileMetaData } from 'hyparquet'
import { invalid, type RecordingFile } from './recording-file.ts'

/** Types of pages, and of values in Thrift's compact protocol. */
const DATA_PAGE = 0
const DICTIONARY_PAGE = 2
const DATA_PAGE_V2 = 3
const [STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12]
const MAX_CHUNK_BYTES = 256 << 20
const MAX_PAGE_BYTES = 256 << 20
const MAX_DEPTH = 8

/**
 * Walks through the page headers of all columns of a row group. Throws INVALID_RECORDING unless pages follow one another from the
 * beginning of each chunk to its end and hold as many values as the group has rows: hyparquet looks for values for ever where
 * a page has none, or does not say how long it is.
 */
/** Of its first column's first page. */
export function chunkStart({ columns: [first] }: FileMetaData['row_groups'][number]): number {
  const column = first?.meta_data
  return Number(column?.dictionary_page_offset || column?.data_page_offset || 0)
}

export function checkPages(file: RecordingFile, { columns, num_rows }: FileMetaData['row_groups'][number]): void {
  const footer = { file: file.path, byteOffset: file.size - 8 }
  for (const { meta_data: column } of columns) {
    if (column === undefined) throw invalid(footer, 'has a column of which nothing is told')
    const name = column.path_in_schema.join('.')
    const start = Number(column.dictionary_page_offset || column.data_page_offset)
    const size = Number(column.total_compressed_size)
    if (!(start >= 4 && size > 0 && size <= MAX_CHUNK_BYTES && start + size <= file.size - 12)) {
      throw invalid(footer, `column ${name} is said to have ${size} bytes from byte ${start} on`)
    }
    const reader = new ThriftReader(file.bytes(start, size))
    let values = 0
    while (reader.at < size) {
      const byteOffset = start + reader.at
      const page = pageAt(reader, size)
      if (page === undefined) throw invalid({ file: file.path, byteOffset }, `there is no page of column ${name} here`)
      reader.at = page.end
      values += page.values
    }
    if (values !== Number(num_rows) || column.num_values !== num_rows) {
      throw invalid({ file: file.path, byteOffset: start }, `column ${name} has ${values} values for ${num_rows} rows`)
    }
  }
}

/** The page whose header is next: where it ends and how many values it adds to the column; undefined where that is no page. */
function pageAt(reader: ThriftReader, size: number): { end: number; values: number } | undefined {
  let header: Fields
  try {
    header = reader.struct()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
  const [type, unpacked, packed] = [header.get(1), header.get(2), header.get(3)]
  if (typeof packed !== 'number' || typeof unpacked !== 'number') return undefined
  const end = reader.at + packed
  if (!(packed > 0 && end <= size && unpacked > 0 && unpacked <= MAX_PAGE_BYTES)) return undefined
  const counts = header.get(type === DATA_PAGE ? 5 : type === DATA_PAGE_V2 ? 8 : 7)
  const values = counts instanceof Map ? counts.get(1) : undefined
  if (typeof values !== 'number' || values <= 0) return undefined
  if (type === DICTIONARY_PAGE) return { end, values: 0 }
  return type === DATA_PAGE || type === DATA_PAGE_V2 ? { end, values } : undefined
}

type Fields = Map<number, number | Fields | undefined>

/**
 * Structures in Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md): numbers
 * and structures by their field, what else there is skipped. Throws RangeError where the bytes are none.
 */
class ThriftReader {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  struct(depth = 0): Fields {
    if (depth > MAX_DEPTH) throw new RangeError('too deep')
    const fields: Fields = new Map()
    let field = 0
    while (true) {
      const byte = this.#byte()
      const type = byte & 15
      if (type === STOP) return fields
      field = byte >> 4 === 0 ? this.#zigZag() : field + (byte >> 4)
      fields.set(field, this.#value(type, depth))
    }
  }

  #value(type: number, depth: number): number | Fields | undefined {
    switch (type) {
      case TRUE:
      case FALSE:
        return undefined
      case BYTE:
        return this.#skip(1)
      case I16:
      case I32:
      case I64:
        return this.#zigZag()
      case DOUBLE:
        return this.#skip(8)
      case BINARY:
        return this.#skip(this.#varint())
      case LIST: {
        const byte = this.#byte()
        const count = byte >> 4 === 15 ? this.#varint() : byte >> 4
        const of = byte & 15
        for (let index = 0; index < count; index++) this.#value(of === TRUE || of === FALSE ? BYTE! : of, depth + 1)
        return undefined
      }
      case STRUCT:
        return this.struct(depth + 1)
      default:
        throw new RangeError(`type ${type}`)
    }
  }

  #byte(): number {
    return this.#bytes.readUInt8(this.at++)
  }

  #skip(count: number): undefined {
    this.at += count
    if (this.at > this.#bytes.length) throw new RangeError('behind the end')
  }

  #varint(): number {
    let value = 0
    for (let scale = 1; scale < 2 ** 63; scale *= 128) {
      const byte = this.#byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw new RangeError('a number without end')
  }

  #zigZag(): number {
    const value = this.#varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}
