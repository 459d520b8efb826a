import { basename } from 'node:path'
import { crc32 } from 'node:zlib'
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import type { Recording } from '../recording/recording.ts'
import { checkJson } from './json-file.ts'
import { readNpyHeader } from './npy-header.ts'
import { FaultList, invalid, type RecordingFile, unreadableAt } from './recording-file.ts'
import { INDEX_NAME, type RecordingIndex, recordingIndexSchema, runsOfIndex } from './recording-index.ts'
import { sidecarBeside } from './safetensors.ts'
import { SpoolFile } from './spool-file.ts'
import { type NamedTensor, runOfTensors } from './tensor-run.ts'

const MAX_ENTRIES = 100_000
const MAX_JSON_BYTES = 32 << 20
const CRC_CHUNK_BYTES = 4 << 20

/**
 * A zip of .npy arrays (numpy.savez and savez_compressed): arrays are checkpoints by name, and `ids` (or one of the names that are
 * usual for them) the prompt. What is deflated is unpacked into a temporary file. Every entry's CRC is checked.
 */
export async function openNpz(file: RecordingFile): Promise<Recording> {
  const faults = new FaultList()
  const spool = new Spool(file)
  // The directory is at the end.
  const at = { file: file.path, byteOffset: file.size }
  try {
    const { tensors, index } = await readEntries(file, spool, faults, at)
    const unpacked = spool.finish()
    const named = new Map<string, NamedTensor>()
    for (const [name, tensor] of tensors) named.set(name, { ...tensor, file: tensor.unpacked ? unpacked! : file })
    const runs =
      index === undefined
        ? [runOfTensors(basename(file.path).replace(/\.npz$/, ''), named, sidecarBeside(file.path), faults)]
        : runsOfIndex(index, named, file, faults)
    const close = () => {
      file.close()
      unpacked?.close()
    }
    return { path: file.path, format: 'npz', runs, faults: faults.list(), close }
  } catch (error) {
    spool.discard()
    if (error instanceof Error && !('code' in error && String(error.code).endsWith('_RECORDING'))) {
      throw invalid({ file: file.path, byteOffset: at.byteOffset }, `is no sound zip archive: ${error.message}`)
    }
    throw error
  }
}

type FoundTensor = Omit<NamedTensor, 'file'> & { readonly unpacked: boolean }

/** `at`: where it is at. */
async function readEntries(
  file: RecordingFile,
  spool: Spool,
  faults: FaultList,
  at: { file: string; byteOffset: number },
) {
  const zip = await openPromise(file.path, { autoClose: false })
  const tensors = new Map<string, FoundTensor>()
  let index: RecordingIndex | undefined
  try {
    if (zip.entryCount > MAX_ENTRIES) throw unreadableAt(at, `has ${zip.entryCount} entries`)
    for await (const entry of zip.eachEntry()) {
      at.byteOffset = entry.relativeOffsetOfLocalHeader
      if (entry.fileName === INDEX_NAME) index = await readIndex(zip, entry, file)
      if (!entry.fileName.endsWith('.npy')) continue
      const name = entry.fileName.slice(0, -4)
      if (tensors.has(name)) {
        faults.add(
          'duplicate',
          { file: file.path, byteOffset: entry.relativeOffsetOfLocalHeader },
          `${name} is there twice`,
        )
        continue
      }
      const stored = entry.compressionMethod === 0
      const { dtype, shape, offset } = stored ? await checkStored(zip, entry, file) : await spool.unpack(zip, entry)
      tensors.set(name, { name, dtype, shape, offset, unpacked: !stored })
    }
  } finally {
    zip.close()
  }
  return { tensors, index }
}

/** In place: the values are in the archive as they are. */
async function checkStored(zip: ZipFile, entry: Entry, file: RecordingFile) {
  const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true })
  const size = entry.uncompressedSize
  if (fileDataStart + size > file.size)
    throw invalid({ file: file.path, byteOffset: fileDataStart }, `${entry.fileName} is cut`)
  const chunk = Buffer.allocUnsafe(Math.min(size, CRC_CHUNK_BYTES))
  let crc = 0
  for (let at = 0; at < size; at += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, size - at))
    file.read(part, fileDataStart + at)
    crc = crc32(part, crc)
  }
  checkCrc(entry, crc, file.path, fileDataStart)
  const start = file.bytes(fileDataStart, Math.min(size, 1 << 16))
  const header = readNpyHeader(file, size, start)
  return { ...header, offset: fileDataStart + header.offset }
}

function checkCrc(entry: Entry, crc: number, file: string, byteOffset: number): void {
  if (crc !== entry.crc32)
    throw invalid({ file, byteOffset }, `${entry.fileName} does not have the CRC that the archive says`)
}

async function readIndex(zip: ZipFile, entry: Entry, file: RecordingFile): Promise<RecordingIndex> {
  if (entry.uncompressedSize > MAX_JSON_BYTES)
    throw invalid({ file: file.path, byteOffset: entry.relativeOffsetOfLocalHeader }, `${entry.fileName} is too large`)
  const chunks: Buffer[] = []
  for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  checkCrc(entry, crc32(bytes), file.path, entry.relativeOffsetOfLocalHeader)
  return checkJson({ file: `${file.path}/${entry.fileName}` }, bytes, recordingIndexSchema)
}

/** Where deflated entries go; made when the first one comes. */
class Spool {
  readonly #file: RecordingFile
  #spool: SpoolFile | undefined

  constructor(file: RecordingFile) {
    this.#file = file
  }

  async unpack(zip: ZipFile, entry: Entry) {
    this.#spool ??= new SpoolFile(this.#file.path)
    this.#spool.expect(entry.uncompressedSize)
    const begin = this.#spool.size
    let crc = 0
    let start = Buffer.alloc(0)
    for await (const chunk of await zip.openReadStreamPromise(entry)) {
      const bytes = chunk as Buffer
      crc = crc32(bytes, crc)
      if (start.length < 1 << 16) start = Buffer.concat([start, bytes])
      this.#spool.append(bytes)
    }
    checkCrc(entry, crc, this.#file.path, entry.relativeOffsetOfLocalHeader)
    const header = readNpyHeader(this.#file, entry.uncompressedSize, start)
    return { ...header, offset: begin + header.offset }
  }

  finish(): RecordingFile | undefined {
    return this.#spool?.finish()
  }

  discard(): void {
    this.#spool?.discard()
  }
}
