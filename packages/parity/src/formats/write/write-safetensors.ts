import type { Recording } from '../../recording/recording.ts'
import { INDEX_NAME, indexHash } from '../recording-index.ts'
import { SHA256_NAME } from '../safetensors.ts'
import { DTYPE_SIZES } from '../tensor-values.ts'
import { bytesOf, columnsName, columnsOf, extentsOf, indexText, rowsOf, storedDtype } from './extents.ts'
import type { OutputFile } from './output-file.ts'

/** Safetensors whose metadata hold the index, and the sha256 of the index and all data. */
export function writeSafetensors(recording: Recording, out: OutputFile): void {
  const extents = extentsOf(recording)
  const index = indexText(recording, extents)
  let end = 0
  const entry = (dtype: 'F64' | 'F32' | 'I32', shape: readonly number[]) => {
    const from = end
    end += shape.reduce((product, size) => product * size, dtype === 'F64' ? DTYPE_SIZES.F64 : DTYPE_SIZES.F32)
    return { dtype, shape, data_offsets: [from, end] }
  }
  const tensors: Record<string, unknown> = {}
  for (const { tensor, slab, count } of extents) {
    const shape = [count, slab.coverage.perRow]
    tensors[tensor] = entry(storedDtype(slab), shape)
    if (slab.coverage.kind === 'columns') tensors[columnsName(tensor)] = entry('I32', shape)
  }
  const header = (sha256: string) => {
    const text = JSON.stringify({ __metadata__: { [INDEX_NAME]: index, [SHA256_NAME]: sha256 }, ...tensors })
    const json = Buffer.from(text)
    // Padded, so that the data are aligned.
    const bytes = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ')
    bytes.writeBigUInt64LE(BigInt(bytes.length - 8))
    bytes.set(json, 8)
    return bytes
  }
  out.append(header('0'.repeat(64)))
  const hash = indexHash(index)
  const append = (bytes: Uint8Array) => {
    hash.update(bytes)
    out.append(bytes)
  }
  for (const extent of extents) {
    for (const { values } of rowsOf(extent)) append(bytesOf(values))
    if (extent.slab.coverage.kind !== 'columns') continue
    for (const { slab, first, count } of rowsOf(extent)) append(bytesOf(columnsOf(slab, first, count)))
  }
  out.overwrite(header(hash.digest('hex')), 0)
}
