import { z } from 'zod'
import { checkJson } from './json-file.ts'
import { invalid, type RecordingFile } from './recording-file.ts'

const SIZES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 } as const
export type SafetensorsDtype = keyof typeof SIZES

export interface SafetensorsEntry {
  readonly name: string
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  /** From the start of the file, in bytes. */
  readonly offset: number
  readonly values: number
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>
  /** Where the data begins, in bytes. */
  readonly dataStart: number
}

/** The limit of the format itself (github.com/huggingface/safetensors, "Format"). */
const MAX_HEADER_BYTES = 100_000_000
/** What we parse: a table of a hundred thousand tensors. */
const MAX_PARSED_BYTES = 32 << 20

const size = z.int().min(0)
const entrySchema = z.strictObject({
  dtype: z.enum(Object.keys(SIZES) as [SafetensorsDtype, ...SafetensorsDtype[]]),
  shape: z.array(size).max(8),
  data_offsets: z.tuple([size, size]),
})
const headerSchema = z.record(z.string(), z.unknown())
const metadataSchema = z.record(z.string(), z.string())

/** Whether the file begins as one: the length of a JSON header that fits, and its brace. */
export function looksLikeSafetensors(start: Buffer): boolean {
  if (start.length < 10 || start[8] !== 0x7b) return false
  const length = start.readBigUInt64LE(0)
  return length >= 2n && length <= BigInt(MAX_HEADER_BYTES)
}

/** Throws INVALID_RECORDING for a header that is cut, is no JSON, or tells of bytes that are not there, twice, or not at all. */
export function readSafetensorsHeader(file: RecordingFile): SafetensorsHeader {
  const length = Number(file.bytes(0, 8).readBigUInt64LE(0))
  const dataStart = 8 + length
  if (dataStart > file.size) {
    throw invalid(
      { file: file.path, byteOffset: 0 },
      `its header has ${length} bytes, and the file ${file.size}: it was cut`,
    )
  }
  if (length > MAX_PARSED_BYTES) throw invalid({ file: file.path, byteOffset: 0 }, `its header has ${length} bytes`)
  const begin = { file: file.path, byteOffset: 8 }
  const { __metadata__, ...entries } = checkJson(begin, file.bytes(8, length), headerSchema)
  const metadata = metadataSchema.safeParse(__metadata__ ?? {})
  if (!metadata.success) throw invalid({ file: file.path, byteOffset: 8 }, '__metadata__ must map strings to strings')

  const tensors = new Map<string, SafetensorsEntry>()
  for (const [name, entry] of Object.entries(entries)) {
    const checked = entrySchema.safeParse(entry)
    if (!checked.success) {
      throw invalid({ file: file.path, byteOffset: 8 }, `tensor ${name}: ${checked.error.issues[0]?.message}`)
    }
    const { dtype, shape, data_offsets } = checked.data
    const [from, to] = data_offsets
    const values = shape.reduce((product, dimension) => product * dimension, 1)
    if (to - from !== values * SIZES[dtype]) {
      const message = `tensor ${name} of shape [${shape.join(', ')}] and ${dtype} has ${to - from} bytes`
      throw invalid({ file: file.path, byteOffset: dataStart + from }, message)
    }
    tensors.set(name, { name, dtype, shape, offset: dataStart + from, values })
  }
  checkLayout(file, dataStart, [...tensors.values()])
  return { metadata: metadata.data, tensors, dataStart }
}

/** The data must be covered without holes and without overlap, to the file's last byte. */
function checkLayout(file: RecordingFile, dataStart: number, tensors: SafetensorsEntry[]): void {
  let end = dataStart
  for (const { name, offset, values, dtype } of tensors.sort((a, b) => a.offset - b.offset || a.values - b.values)) {
    if (offset !== end) {
      const what = offset < end ? 'overlaps the tensor before it' : 'leaves a gap before it'
      throw invalid({ file: file.path, byteOffset: offset }, `tensor ${name} ${what}`)
    }
    end = offset + values * SIZES[dtype]
  }
  if (end !== file.size) {
    const what = end > file.size ? 'it was cut' : 'the rest belongs to no tensor'
    throw invalid(
      { file: file.path, byteOffset: Math.min(end, file.size) },
      `its tensors take ${end} bytes, the file has ${file.size}: ${what}`,
    )
  }
}
