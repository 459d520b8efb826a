import type { ReferenceModel } from '@plumbline/reference'
import type { Arithmetic } from '../arithmetic/arithmetic.ts'
import { type ActivationSource, NotAtHand } from '../graph/op-site.ts'

/** The values of a forward pass that is under way: of every checkpoint, those of the positions computed so far. */
export class LiveValues implements ActivationSource {
  readonly model: ReferenceModel
  readonly tokenIds: number[]
  readonly others: ActivationSource[] = []
  readonly arithmetic: Arithmetic | undefined
  /** By checkpoint and position. */
  readonly #rows = new Map<string, Float64Array[]>()

  constructor(model: ReferenceModel, tokenIds: readonly number[], arithmetic?: Arithmetic) {
    this.model = model
    this.arithmetic = arithmetic
    this.tokenIds = [...tokenIds]
  }

  /** `values`: [count, width], copied. */
  put(checkpoint: string, first: number, count: number, values: Float64Array): void {
    const rows = this.#rows.get(checkpoint) ?? []
    this.#rows.set(checkpoint, rows)
    const width = values.length / count
    for (let i = 0; i < count; i++) rows[first + i] = values.slice(i * width, (i + 1) * width)
  }

  rows(checkpoint: string, first: number, count: number): Float64Array {
    const rows = this.#rows.get(checkpoint)?.slice(first, first + count) ?? []
    if (first < 0 || rows.length < count)
      throw new NotAtHand(`${checkpoint} of positions ${first} to ${first + count - 1}`)
    const width = rows[0]?.length ?? 0
    const values = new Float64Array(count * width)
    for (const [i, row] of rows.entries()) values.set(row, i * width)
    return values
  }
}
