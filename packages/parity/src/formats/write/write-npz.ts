import { createWriteStream } from 'node:fs'
import { rename } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import type { Recording } from '../../recording/recording.ts'
import { INDEX_NAME } from '../recording-index.ts'
import {
  bytesOf,
  columnsName,
  columnsOf,
  extentsOf,
  indexText,
  rowsOf,
  storedDtype,
  type WrittenExtent,
} from './extents.ts'

/** The same input gives the same bytes: zip's first day. */
const OPTIONS = { compress: false, mtime: new Date(1980, 0, 1), mode: 0o100644, forceDosTimestamp: true }
const ZIP64_BYTES = 0xffff_0000

/** A .npz as numpy.savez makes it, with the index as one more entry. */
export async function writeNpz(recording: Recording, path: string): Promise<void> {
  const extents = extentsOf(recording)
  const zip = new ZipFile()
  const failed = new Promise<never>((_, reject) => zip.once('error', reject))
  zip.addBuffer(Buffer.from(indexText(recording, extents)), INDEX_NAME, OPTIONS)
  const add = (name: string, descr: string, size: number, extent: WrittenExtent, data: () => Iterable<Uint8Array>) => {
    const header = npyHeader(descr, [extent.count, extent.slab.coverage.perRow])
    const bytes = header.length + size * extent.count * extent.slab.coverage.perRow
    const options = { ...OPTIONS, size: bytes, forceZip64Format: bytes >= ZIP64_BYTES }
    zip.addReadStreamLazy(`${name}.npy`, options, (give) => {
      give(
        null,
        Readable.from(
          (function* () {
            yield header
            yield* data()
          })(),
          { objectMode: false },
        ),
      )
    })
  }
  for (const extent of extents) {
    const double = storedDtype(extent.slab) === 'F64'
    add(extent.tensor, double ? '<f8' : '<f4', double ? 8 : 4, extent, function* () {
      // The archive takes them later than the next rows are read.
      for (const { values } of rowsOf(extent)) yield bytesOf(values).slice()
    })
    if (extent.slab.coverage.kind !== 'columns') continue
    add(columnsName(extent.tensor), '<i4', 4, extent, function* () {
      for (const { slab, first, count } of rowsOf(extent)) yield bytesOf(columnsOf(slab, first, count))
    })
  }
  zip.end()
  await Promise.race([pipeline(zip.outputStream, createWriteStream(`${path}.unfinished`)), failed])
  await rename(`${path}.unfinished`, path)
}

/** Version 1.0, padded to 64 bytes (numpy.lib.format). */
function npyHeader(descr: string, shape: readonly number[]): Buffer {
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64 - 10
  const header = Buffer.alloc(10 + length, ' ')
  header.write('\x93NUMPY\x01\x00', 'latin1')
  header.writeUInt16LE(length, 8)
  header.write(dict, 10, 'latin1')
  header[header.length - 1] = 10
  return header
}
