import type { Checkpoint, RecordedDtype, RecordedRun, Recording, RunIdentity, Slab, Values } from './recording.ts'

/** A run that is written checkpoint by checkpoint, in memory: what the oracle makes, and small recordings of any origin. */
export class MemoryRun implements RecordedRun {
  readonly id: string
  readonly identity: RunIdentity
  readonly #checkpoints = new Map<string, MemoryCheckpoint>()
  #order = 0

  constructor(id: string, identity: RunIdentity) {
    this.id = id
    this.identity = identity
  }

  get checkpoints(): ReadonlyMap<string, Checkpoint> {
    return this.#checkpoints
  }

  /** `values`: [count, width], kept as they are, not copied. */
  add(
    name: string,
    at: { pos: number; phase?: Slab['phase']; dtype?: RecordedDtype },
    width: number,
    values: Values,
  ): void {
    const count = values.length / width
    const checkpoint = this.#checkpoints.get(name) ?? new MemoryCheckpoint(name, width)
    this.#checkpoints.set(name, checkpoint)
    checkpoint.slabs.push({
      pos: at.pos,
      ...(at.phase !== undefined && { phase: at.phase }),
      count,
      dtype: at.dtype ?? (values instanceof Float32Array ? 'F32' : 'F64'),
      coverage: { kind: 'all', perRow: width },
      order: this.#order++,
      place: { file: 'memory' },
      read: (first = 0, rows = count - first) => values.subarray(first * width, (first + rows) * width),
    })
  }
}

export function memoryRecording(runs: readonly RecordedRun[]): Recording {
  return { path: 'memory', format: 'memory', runs, faults: [], close: () => {} }
}

class MemoryCheckpoint implements Checkpoint {
  readonly name: string
  readonly width: number
  readonly slabs: Slab[] = []

  constructor(name: string, width: number) {
    this.name = name
    this.width = width
  }

  get slabCount(): number {
    return this.slabs.length
  }

  slab(index: number): Slab {
    const slab = this.slabs[index]
    if (slab === undefined) throw new RangeError(`slab ${index} of ${this.slabs.length}`)
    return slab
  }
}
