import { dirname, isAbsolute, join, normalize, sep } from 'node:path'
import { z } from 'zod'
import type { Recording } from '../recording/recording.ts'
import { readJsonFile } from './json-file.ts'
import { placeInJsonFile } from './json-place.ts'
import { FaultList, invalid, RecordingFile } from './recording-file.ts'
import { fileSha256 } from './sha256-file.ts'
import { sidecarSchema } from './sidecar.ts'
import { type NamedTensor, runOfTensors } from './tensor-run.ts'

export const RAW_F32_FORMAT = 'raw-f32'

/**
 * The manifest of raw little-endian float32: a JSON beside the data that names it, e.g.
 * `{"format":"raw-f32","data":"run.f32","ids":[1,2],"tensors":[{"name":"logits","shape":[2,512],"offset":0}]}`,
 * with the members of any sidecar, and the sha256 of the data if it is known.
 */
const manifestSchema = sidecarSchema.extend({
  format: z.literal(RAW_F32_FORMAT),
  /** In the manifest's folder or below it. */
  data: z.string().min(1),
  sha256: z.string().optional(),
  tensors: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(256),
        shape: z.array(z.int().min(1).max(0xffff_ffff)).min(1).max(4),
        /** In bytes; by default where the tensor before it ends. */
        offset: z.int().min(0).optional(),
      }),
    )
    .min(1),
})

export async function openRawF32(manifestPath: string): Promise<Recording> {
  const manifest = readJsonFile(manifestPath, manifestSchema)
  const data = normalize(manifest.data)
  if (isAbsolute(data) || data === '..' || data.startsWith(`..${sep}`)) {
    throw invalid(placeInJsonFile(manifestPath, ['data']), `data: ${manifest.data} leads out of the manifest's folder`)
  }
  const file = new RecordingFile(join(dirname(manifestPath), data))
  const faults = new FaultList()
  const tensors = new Map<string, NamedTensor>()
  let end = 0
  for (const { name, shape, offset = end } of manifest.tensors) {
    const place = { file: file.path, byteOffset: offset }
    const bytes = 4 * shape.reduce((product, dimension) => product * dimension, 1)
    if (tensors.has(name)) faults.add('duplicate', place, `${name} is there twice`)
    else if (offset < end) faults.add('duplicate', place, `${name} overlaps what stands before it`)
    else if (offset + bytes > file.size) {
      faults.add('truncated', place, `${name} ends at byte ${offset + bytes}, and the file has ${file.size}`)
    } else tensors.set(name, { name, dtype: 'F32', shape, file, offset })
    end = Math.max(end, offset + bytes)
  }
  if (end < file.size)
    faults.add('wrong-count', { file: file.path, byteOffset: end }, `its last ${file.size - end} bytes are no tensor's`)
  if (manifest.sha256 !== undefined) {
    const sha256 = await fileSha256(file.path)
    if (sha256 !== manifest.sha256)
      faults.add('checksum', { file: file.path, byteOffset: 0 }, `its sha256 is ${sha256}`)
  }
  const run = runOfTensors(manifest.engine ?? RAW_F32_FORMAT, tensors, manifest, faults)
  return { path: manifestPath, format: 'raw-f32', runs: [run], faults: faults.list(), close: () => file.close() }
}
