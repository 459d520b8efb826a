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

/**
 * The types that a run's checkpoints were stored in: narrow ones only where most of its ops' outputs are narrow. One op among others that
 * rounds its output is a mistake, not the engine's way. Embeddings may be narrower than what is computed from them.
 */
export class StoredTypes {
  /** Of most. */
  readonly usual: StoredType
  readonly #types: ReadonlyMap<string, StoredType>

  constructor({ checkpoints }: RecordedRun) {
    this.#types = new Map(Array.from(checkpoints, ([name, checkpoint]) => [name, storedType(checkpoint)]))
    const types = [...this.#types].flatMap(([name, type]) => (name === 'token_embd' ? [] : [type]))
    this.usual =
      (['BF16', 'F16'] as const).find((type) => 2 * types.filter((t) => t === type).length > types.length) ?? 'F32'
  }

  of(name: string): StoredType {
    return this.usual === 'F32' && name !== 'token_embd' ? 'F32' : (this.#types.get(name) ?? 'F32')
  }
}

function storedType(checkpoint: Checkpoint): StoredType {
  const slab = checkpoint.slabCount === 0 ? undefined : checkpoint.slab(0)
  const values = slab?.read(0, Math.min(ROWS, slab.count)) ?? []
  if (values.length === 0 || values.every((value) => value === 0)) return 'F32'
  return NARROW.find(({ round }) => values.every((value) => value === round(value)))?.type ?? 'F32'
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
