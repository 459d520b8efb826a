import type { Checkpoint, RecordedRun, Recording, Slab, Values } from '../../recording/recording.ts'
import { tokensFirstView } from '../../recording/tokens-first.ts'
import { INDEX_NAME, type RecordingIndex } from '../recording-index.ts'

/** Slabs of one checkpoint that follow one another and have one form: one tensor in what is written. */
export interface WrittenExtent {
  readonly run: RecordedRun
  readonly checkpoint: Checkpoint
  /** Unique in the file. */
  readonly tensor: string
  readonly firstSlab: number
  readonly slabs: number
  /** The first slab: what all have in common, and where they begin. */
  readonly slab: Slab
  /** Positions of all slabs. */
  readonly count: number
}

/** Values that are read at once, so that a large slab does not fill the memory. */
const VALUES_AT_ONCE = 1 << 20

export function extentsOf(recording: Recording): WrittenExtent[] {
  const extents: WrittenExtent[] = []
  const names = new Set<string>([INDEX_NAME])
  for (const run of recording.runs) {
    for (const asRead of run.checkpoints.values()) {
      const checkpoint = tokensFirstView(asRead)
      for (const { firstSlab, slabs, slab, count } of joined(checkpoint)) {
        // Alone and from the first position on, a tensor has its checkpoint's name.
        const plain = recording.runs.length === 1 && slab.pos === 0 ? checkpoint.name : undefined
        const tensor = uniqueName(plain ?? `${run.id}/${checkpoint.name}@${slab.pos}`, names)
        extents.push({ run, checkpoint, tensor, firstSlab, slabs, slab, count })
      }
    }
  }
  return extents
}

function* joined(checkpoint: Checkpoint) {
  let extent: { firstSlab: number; slabs: number; slab: Slab; count: number } | undefined
  for (let index = 0; index < checkpoint.slabCount; index++) {
    const slab = checkpoint.slab(index)
    if (extent !== undefined && follows(extent.slab, extent.count, slab)) {
      extent.slabs++
      extent.count += slab.count
    } else {
      if (extent !== undefined) yield extent
      extent = { firstSlab: index, slabs: 1, slab, count: slab.count }
    }
  }
  if (extent !== undefined) yield extent
}

function follows(first: Slab, count: number, next: Slab): boolean {
  return (
    first.pos + count === next.pos &&
    first.phase === next.phase &&
    first.dtype === next.dtype &&
    first.coverage.kind === next.coverage.kind &&
    first.coverage.perRow === next.coverage.perRow
  )
}

/** Zip entries and file names alike: no separators that lead anywhere. */
function uniqueName(name: string, taken: Set<string>): string {
  const safe = name.replace(/\.\./g, '_').replace(/^\/+|[\\:*?"<>|]/g, '_')
  let unique = safe
  for (let number = 2; taken.has(unique); number++) unique = `${safe}~${number}`
  taken.add(unique)
  return unique
}

/** The rows of an extent, some at a time; each is overwritten by the next. */
export function* rowsOf({ checkpoint, firstSlab, slabs }: Pick<WrittenExtent, 'checkpoint' | 'firstSlab' | 'slabs'>) {
  for (let index = firstSlab; index < firstSlab + slabs; index++) {
    const slab = checkpoint.slab(index)
    const rows = Math.max(1, Math.floor(VALUES_AT_ONCE / slab.coverage.perRow))
    for (let first = 0; first < slab.count; first += rows) {
      const count = Math.min(rows, slab.count - first)
      const values: Values = slab.read(first, count)
      yield { slab, first, count, values }
    }
  }
}

/** The column ids of rows, row-major. */
export function columnsOf(slab: Slab, first: number, count: number): Int32Array {
  const { coverage } = slab
  if (coverage.kind !== 'columns') return new Int32Array(0)
  const columns = new Int32Array(count * coverage.perRow)
  for (let row = 0; row < count; row++) columns.set(coverage.columns(first + row), row * coverage.perRow)
  return columns
}

/** Half floats are written as the float32 that they are read as. */
export function storedDtype({ dtype }: Slab): 'F64' | 'F32' {
  return dtype === 'F64' ? 'F64' : 'F32'
}

export function columnsName(tensor: string): string {
  return `${tensor}.columns`
}

/** All that stands beside the tensors, as text. */
export function indexText(recording: Recording, extents: readonly WrittenExtent[]): string {
  const index: RecordingIndex = {
    v: 1,
    runs: recording.runs.map((run) => ({
      ...headerOf(run),
      extents: extents
        .filter((extent) => extent.run === run)
        .map(({ tensor, checkpoint, slab, count }) => ({
          tensor,
          checkpoint: checkpoint.name,
          width: checkpoint.width,
          ...(slab.phase && { phase: slab.phase }),
          pos: slab.pos,
          count,
          per_row: slab.coverage.perRow,
          dtype: slab.dtype,
          coverage: slab.coverage.kind,
          ...(slab.coverage.kind === 'columns' && { columns: columnsName(tensor) }),
        })),
    })),
  }
  return JSON.stringify(index)
}

export function headerOf({ id, identity, greedy, printedDecimals }: RecordedRun) {
  return {
    id,
    identity: {
      ...identity,
      promptTokenIds: identity.promptTokenIds && [...identity.promptTokenIds],
      generatedTokenIds: identity.generatedTokenIds && [...identity.generatedTokenIds],
      notObserved: identity.notObserved && [...identity.notObserved],
    },
    ...(greedy && { greedy: { tokenIds: [...greedy.tokenIds], ...(greedy.gaps && { gaps: [...greedy.gaps] }) } }),
    ...(printedDecimals !== undefined && { printedDecimals }),
  }
}

/** Little-endian; the same memory. */
export function bytesOf(values: Values | Int32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
