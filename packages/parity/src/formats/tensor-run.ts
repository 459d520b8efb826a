import type { Coverage, Fault, RecordedDtype, RecordedRun, RunIdentity } from '../recording/recording.ts'
import type { FaultList, RecordingFile } from './recording-file.ts'
import { dimensionsOf, greedyOfSidecar, identityOfSidecar, inComputationOrder, type Sidecar } from './sidecar.ts'
import { SlabTable } from './slab-table.ts'
import { DTYPE_SIZES, TensorReader } from './tensor-values.ts'

/** A tensor somewhere in a file. */
export interface NamedTensor {
  readonly name: string
  /** Of what is in the file; integers hold token ids and columns. */
  readonly dtype: string
  readonly shape: readonly number[]
  readonly file: RecordingFile
  /** In bytes. */
  readonly offset: number
}

/** Token ids under the names that people give them. */
const TOKEN_ID_TENSORS = ['ids', 'prompt_token_ids', 'input_ids', 'token_ids', 'tokens']
const TOP_IDS = 'logits_top_ids'
const TOP_VALUES = 'logits_top_values'
const LAST = 'logits_last'
const MAX_TOKEN_IDS = 1 << 22

/**
 * One run from named tensors and the JSON beside them: each tensor is a checkpoint over all positions, [tokens, width]. Logits may
 * be there for the last position alone (`logits_last`), and the largest of each position (`logits_top_ids`, `logits_top_values`).
 */
export function runOfTensors(
  id: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  sidecar: Sidecar,
  faults: FaultList,
): RecordedRun {
  const ids = sidecar.ids ?? tokenIdsOf(tensors)
  const first = [...tensors.values()][0]
  const slabs = new TensorSlabs(tensors, faults, ids?.length)
  for (const [name, shape] of Object.entries(sidecar.checkpoints ?? {})) {
    const tensor = tensors.get(name)
    const file = first?.file.path ?? name
    if (tensor === undefined)
      faults.add('truncated', { file, byteOffset: 0 }, `${name} is not there, and the JSON tells of it`)
    else if (tensor.shape.join() !== shape.join()) {
      const message = `${name} has shape [${tensor.shape.join(', ')}], and the JSON says [${shape.join(', ')}]`
      faults.add('wrong-count', { file, byteOffset: tensor.offset }, message)
    }
  }
  for (const name of inComputationOrder([...tensors.keys()])) slabs.add(tensors.get(name)!)
  slabs.addTopLogits()

  const widths = new Map([...slabs.table.checkpoints].map(([name, { width }]) => [name, width]))
  const identity: RunIdentity = {
    ...dimensionsOf(widths),
    ...identityOfSidecar(sidecar),
    ...(ids !== undefined && { promptTokenIds: ids }),
  }
  const greedy = greedyOfSidecar(sidecar)
  if (greedy?.gaps !== undefined && greedy.gaps.length !== greedy.tokenIds.length) {
    const message = `the JSON has ${greedy.gaps.length} gaps for ${greedy.tokenIds.length} greedy tokens`
    faults.add('wrong-count', { file: first?.file.path ?? id, byteOffset: 0 }, message)
  }
  return { id, identity, checkpoints: slabs.table.checkpoints, ...(greedy && { greedy }) }
}

class TensorSlabs {
  readonly table: SlabTable
  readonly #tensors: ReadonlyMap<string, NamedTensor>
  readonly #faults: FaultList
  readonly #tokens: number | undefined
  readonly #inOrder: NamedTensor[] = []

  constructor(tensors: ReadonlyMap<string, NamedTensor>, faults: FaultList, tokens: number | undefined) {
    this.#tensors = tensors
    this.#faults = faults
    this.#tokens = tokens
    const reader = new TensorReader()
    this.table = new SlabTable({
      file: [...tensors.values()][0]?.file.path ?? '',
      values: ({ index, dataOffset, dtype, perRow }, row, rows) =>
        reader.read(this.#inOrder[index]!.file, dataOffset + row * perRow * DTYPE_SIZES[dtype], dtype, rows * perRow),
      columns: ({ perRow }, row) => integersOf(this.#tensors.get(TOP_IDS)!, row * perRow, perRow),
    })
  }

  add(tensor: NamedTensor): void {
    const { name, shape } = tensor
    if (name === TOP_IDS || name === TOP_VALUES || name === LAST || TOKEN_ID_TENSORS.includes(name)) return
    const form = formOf(shape, this.#tokens)
    if (!(tensor.dtype in DTYPE_SIZES))
      this.#bad('malformed', tensor, `is ${tensor.dtype}, and values must be floating`)
    else if (shape.length === 0 || shape.includes(0)) this.#bad('malformed', tensor, 'holds no values')
    else if (typeof form === 'string') this.#bad('wrong-count', tensor, form)
    else this.#push(tensor, name, form.width, 0, form.count, form.width, 'all', form.headsFirst)
  }

  addTopLogits(): void {
    const [ids, values, last] = [TOP_IDS, TOP_VALUES, LAST].map((name) => this.#tensors.get(name))
    const lastRow = last && last.shape.length <= 2 && product(last.shape) > 0 ? last : undefined
    const vocabSize = lastRow?.shape.at(-1)
    if (ids !== undefined && values !== undefined) {
      const [tokens, perRow] = values.shape
      if (ids.shape.join() !== values.shape.join() || values.shape.length !== 2 || !tokens || !perRow) {
        this.#bad(
          'wrong-count',
          ids,
          `has shape [${ids.shape.join(', ')}], and ${TOP_VALUES} [${values.shape.join(', ')}]`,
        )
      } else if (!/^I(32|64)$/.test(ids.dtype) || !(values.dtype in DTYPE_SIZES)) {
        this.#bad('malformed', ids, `is ${ids.dtype}, and ${TOP_VALUES} ${values.dtype}`)
      } else {
        // The last position is in logits_last, whole.
        const rows = lastRow === undefined ? tokens : tokens - 1
        if (rows > 0) this.#push(values, 'logits', vocabSize ?? 0, 0, rows, perRow, 'columns')
        if (lastRow !== undefined) this.#push(lastRow, 'logits', vocabSize!, tokens - 1, 1, vocabSize!)
      }
    } else if (lastRow !== undefined) {
      if (this.#tokens === undefined)
        this.#bad('malformed', lastRow, 'is of the last position, and nothing tells which that is')
      else this.#push(lastRow, 'logits', vocabSize!, this.#tokens - 1, 1, vocabSize!)
    }
  }

  #push(
    tensor: NamedTensor,
    checkpoint: string,
    width: number,
    pos: number,
    count: number,
    perRow: number,
    coverage: Coverage['kind'] = 'all',
    headsFirst?: number,
  ): void {
    const added = this.table.add({
      checkpoint,
      width,
      pos,
      count,
      perRow,
      coverage,
      ...(headsFirst !== undefined && { headsFirst }),
      dtype: tensor.dtype as RecordedDtype,
      dataOffset: tensor.offset,
      order: this.table.length,
      byteOffset: tensor.offset,
    })
    if (added === 'added') this.#inOrder.push(tensor)
    else this.#bad('duplicate', tensor, `${checkpoint} at position ${pos} is there twice, or with another width`)
  }

  #bad(kind: Fault['kind'], { file, offset, name }: NamedTensor, message: string): void {
    this.#faults.add(kind, { file: file.path, byteOffset: offset }, `${name} ${message}`)
  }
}

/**
 * Which axis is that of the tokens: of [tokens, width] and [tokens, heads, dimensions] the first, of [heads, tokens, dimensions] the
 * second, each behind a batch of one where there is that; a vector is one position. Where it cannot be, or could be either, why.
 */
function formOf(
  shape: readonly number[],
  tokens: number | undefined,
): { count: number; width: number; headsFirst?: number } | string {
  const told = `has shape [${shape.join(', ')}]`
  if (shape.length <= 1) return rowsOf([1, ...shape], tokens)
  if (shape.length === 2 || tokens === undefined) return rowsOf(shape, tokens)
  if (tokens === 1 && shape.includes(1)) return { count: 1, width: product(shape) }
  const axes = shape[0] === 1 ? shape.slice(1) : shape
  if (axes.length === 2) return rowsOf(axes, tokens)
  const ofTokens = axes.flatMap((length, axis) => (length === tokens ? [axis] : []))
  if (axes.length > 3) return `${told}, and of more than a batch of one`
  if (ofTokens.length > 1) return `${told}, and more than one axis could be that of the ${tokens} tokens`
  const [axis] = ofTokens
  if (axis === 0) return rowsOf(axes, tokens)
  if (axis === 1) return { count: tokens, width: axes[0]! * axes[2]!, headsFirst: axes[0]! }
  return `${told}, and neither of its first axes is that of the ${tokens} tokens`
}

function rowsOf(shape: readonly number[], tokens: number | undefined): { count: number; width: number } | string {
  const [count, ...rest] = shape as [number, ...number[]]
  if (tokens === undefined || count === tokens) return { count, width: product(rest) }
  return `has ${count} rows, and the prompt has ${tokens} tokens`
}

function tokenIdsOf(tensors: ReadonlyMap<string, NamedTensor>): readonly number[] | undefined {
  const name = TOKEN_ID_TENSORS.find((candidate) => /^[IU]\d+$/.test(tensors.get(candidate)?.dtype ?? ''))
  const tensor = name === undefined ? undefined : tensors.get(name)!
  if (tensor === undefined || product(tensor.shape) > MAX_TOKEN_IDS) return undefined
  return [...integersOf(tensor, 0, product(tensor.shape))]
}

/** Integers from element `first` on. */
export function integersOf({ file, offset, dtype }: NamedTensor, first: number, count: number): Int32Array {
  const size = Number(dtype.slice(1)) / 8
  const bytes = file.bytes(offset + first * size, count * size)
  const read = size === 8 ? (at: number) => Number(bytes.readBigInt64LE(at)) : (at: number) => bytes.readIntLE(at, size)
  return Int32Array.from({ length: Math.floor(bytes.length / size) }, (_, index) => read(index * size))
}

function product(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total * number, 1)
}
