import type { Checkpoint, Slab, Values } from './recording.ts'

/** A checkpoint of [heads, tokens, dimensions] as [tokens, heads * dimensions]; others as they are. */
export function tokensFirstView(checkpoint: Checkpoint): Checkpoint {
  const { name, width, slabCount, headsFirst: heads = 1 } = checkpoint
  if (heads < 2) return checkpoint
  const dimensions = width / heads
  const slab = (index: number): Slab => {
    const inner = checkpoint.slab(index)
    const read = (first = 0, rows = inner.count - first): Values => {
      const all = inner.read()
      const mapped = all.slice(0, rows * width)
      for (let row = 0; row < rows; row++) {
        for (let head = 0; head < heads; head++) {
          const from = (head * inner.count + first + row) * dimensions
          mapped.set(all.subarray(from, from + dimensions), row * width + head * dimensions)
        }
      }
      return mapped
    }
    return { ...inner, read }
  }
  return { name, width, slabCount, slab }
}
