import { MemoryRun } from '../../src/recording/memory-recording.ts'
import type { RecordedRun, RunIdentity, Values } from '../../src/recording/recording.ts'

export interface Alterations {
  readonly id?: string
  /** Over what the run states; undefined takes a statement away. */
  readonly identity?: { readonly [Key in keyof RunIdentity]?: RunIdentity[Key] | undefined }
  /** Changes the values of a slab, [count, width], in place. Returns false to leave the slab out. */
  readonly values?: (name: string, values: Values, at: { pos: number; width: number }) => boolean | undefined
}

/** A copy of a run with something changed in it. */
export function alterRun(run: RecordedRun, { id = run.id, identity = {}, values }: Alterations): RecordedRun {
  const stated = Object.entries({ ...run.identity, ...identity }).filter(([, value]) => value !== undefined)
  const altered = new MemoryRun(id, Object.fromEntries(stated))
  for (const [name, checkpoint] of run.checkpoints) {
    for (let index = 0; index < checkpoint.slabCount; index++) {
      const { pos, phase, dtype, read } = checkpoint.slab(index)
      const copy = read().slice()
      if (values?.(name, copy, { pos, width: checkpoint.width }) === false) continue
      altered.add(name, { pos, dtype, ...(phase !== undefined && { phase }) }, checkpoint.width, copy)
    }
  }
  return run.greedy === undefined ? altered : Object.assign(altered, { greedy: run.greedy })
}
