import type { Checkpoint, RecordedRun } from '../recording/recording.ts'
import { roundToBrainFloat, roundToHalf } from './narrow-floats.ts'

/** What an engine keeps its values in between its ops, by the values themselves. */
export type StoredType = 'F32' | 'F16' | 'BF16'

/** Rows of a checkpoint that are looked at. */
const ROWS = 4

const NARROW = [
  { type: 'BF16', round: roundToBrainFloat },
  { type: 'F16', round: roundToHalf },
] as const

/** The narrowest type that holds all values of the first rows. */
export function storedType(checkpoint: Checkpoint): StoredType {
  const slab = checkpoint.slabCount === 0 ? undefined : checkpoint.slab(0)
  const values = slab?.read(0, Math.min(ROWS, slab.count)) ?? []
  if (values.length === 0 || values.every((value) => value === 0)) return 'F32'
  return NARROW.find(({ round }) => values.every((value) => value === round(value)))?.type ?? 'F32'
}

/** The narrowest type that all ops' outputs fit. Embeddings may be narrower than what is computed from them. */
export function storedTypeOf(run: RecordedRun): StoredType {
  const types = [...run.checkpoints.values()].filter(({ name }) => name !== 'token_embd').map(storedType)
  if (types.length === 0 || types.includes('F32')) return 'F32'
  return types.includes('F16') ? 'F16' : 'BF16'
}

/** The most NMSE that storing a row in a type makes: half of its last bit, of each value; below the normal numbers, half of its least step. */
export function storageNoise(type: StoredType, row: ArrayLike<number>): number {
  if (type === 'F32') return 0
  const [relative, least] = type === 'F16' ? [2 ** -11, 2 ** -25] : [2 ** -8, 0]
  let noise = 0
  let size = 0
  for (let i = 0; i < row.length; i++) {
    noise += Math.max(relative * Math.abs(row[i]!), least) ** 2
    size += row[i]! ** 2
  }
  return size === 0 ? 0 : noise / size
}
