import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { RecordedDtype, RecordedRun } from '../recording/recording.ts'
import { runHeader, runHeaderSchema } from './identity-json.ts'
import { type FaultList, invalid, type RecordingFile } from './recording-file.ts'
import { SlabTable } from './slab-table.ts'
import { integersOf, type NamedTensor } from './tensor-run.ts'
import { DTYPE_SIZES, TensorReader } from './tensor-values.ts'

/*
 * What `convert` puts beside the tensors of a safetensors or .npz file: the runs, and which tensor holds which positions of which
 * checkpoint. A tensor is [positions, values of each]; of half floats an .npz holds float32.
 */

/** The entry of an .npz, and the key in the metadata of safetensors. */
export const INDEX_NAME = 'plumbline-recording.json'

const extentSchema = z.strictObject({
  tensor: z.string(),
  checkpoint: z.string().min(1).max(256),
  /** Of a full row; 0 where it is not known. */
  width: z.int().min(0),
  phase: z.enum(['prefill', 'decode']).optional(),
  pos: z.int().min(0).max(0xffff_ffff),
  count: z.int().min(1).max(0xffff_ffff),
  per_row: z.int().min(1).max(0xffff_ffff),
  dtype: z.enum(['F64', 'F32', 'F16', 'BF16']),
  coverage: z.enum(['all', 'prefix', 'columns']),
  /** Its column ids, I32 of the same shape. */
  columns: z.string().optional(),
})

export const recordingIndexSchema = z.strictObject({
  v: z.literal(1),
  runs: z.array(runHeaderSchema.extend({ extents: z.array(extentSchema) })).min(1),
})
export type RecordingIndex = z.output<typeof recordingIndexSchema>

/** Over the index as it is written and the data after it, so that neither can change alone. */
export function indexHash(indexText: string): ReturnType<typeof createHash> {
  return createHash('sha256').update(indexText)
}

export function runsOfIndex(
  index: RecordingIndex,
  tensors: ReadonlyMap<string, NamedTensor>,
  file: RecordingFile,
  faults: FaultList,
): RecordedRun[] {
  const unclaimed = new Set(tensors.keys())
  const runs = index.runs.map(({ extents, ...header }): RecordedRun => {
    const sources: { values: NamedTensor; columns: NamedTensor | undefined }[] = []
    const reader = new TensorReader()
    const slabs = new SlabTable({
      file: file.path,
      values: ({ index: at, dataOffset, perRow }, first, rows) => {
        const { values } = sources[at]!
        const stored = values.dtype as RecordedDtype
        return reader.read(values.file, dataOffset + first * perRow * DTYPE_SIZES[stored], stored, rows * perRow)
      },
      columns: ({ index: at, perRow }, row) => integersOf(sources[at]!.columns!, row * perRow, perRow),
    })
    for (const extent of extents) {
      const { tensor: name, columns: columnsName, checkpoint, width, phase, pos, count, per_row: perRow } = extent
      const values = tensors.get(name)
      const columns = columnsName === undefined ? undefined : tensors.get(columnsName)
      const bad = (message: string) =>
        faults.add('wrong-count', { file: file.path, byteOffset: values?.offset ?? 0 }, `${name}: ${message}`)
      unclaimed.delete(name)
      if (columnsName !== undefined) unclaimed.delete(columnsName)
      const shape = `${count},${perRow}`
      if (values === undefined)
        throw invalid({ file: file.path, byteOffset: 0 }, `${name} is not there, and the index tells of it`)
      if (values.shape.join() !== shape || !(values.dtype in DTYPE_SIZES))
        bad(`is [${values.shape}] of ${values.dtype}`)
      else if ((extent.coverage === 'columns') !== (columns?.shape.join() === shape)) bad('has no columns of its shape')
      else if (extent.coverage === 'all' && perRow !== width) bad(`has ${perRow} of ${width} values`)
      else {
        const added = slabs.add({
          checkpoint,
          width,
          ...(phase && { phase }),
          pos,
          count,
          perRow,
          dtype: extent.dtype,
          coverage: extent.coverage,
          dataOffset: values.offset,
          order: slabs.length,
          byteOffset: values.offset,
        })
        if (added === 'added') sources.push({ values, columns })
        else
          faults.add(
            'duplicate',
            { file: file.path, byteOffset: values.offset },
            `${name}: ${checkpoint} at position ${pos} was there before`,
          )
      }
    }
    return { ...runHeader(header), checkpoints: slabs.checkpoints }
  })
  for (const name of unclaimed)
    faults.add(
      'wrong-count',
      { file: file.path, byteOffset: tensors.get(name)!.offset },
      `${name} is in no run of the index`,
    )
  return runs
}
