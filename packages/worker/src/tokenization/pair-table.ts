/**
 * Which pairs of tokens merge, into what, and in which order: a hash table in typed arrays. The longest vocabularies have
 * 280,000 merges, and a Map keyed by strings takes three times the memory and ten times as long to ask.
 */
export class PairTable {
  readonly #mask: number
  readonly #shift: number
  readonly #left: Int32Array
  readonly #right: Int32Array
  readonly #rank: Int32Array
  /** -1: the slot is free. */
  readonly #merged: Int32Array

  /** @param capacity the number of pairs that will be added, at most */
  constructor(capacity: number) {
    const bits = Math.max(4, Math.ceil(Math.log2(capacity * 1.5)))
    const slots = 2 ** bits
    this.#mask = slots - 1
    this.#shift = 32 - bits
    this.#left = new Int32Array(slots)
    this.#right = new Int32Array(slots)
    this.#rank = new Int32Array(slots)
    this.#merged = new Int32Array(slots).fill(-1)
  }

  /** Of a pair that is added twice the first stands. */
  add(left: number, right: number, rank: number, merged: number): void {
    const slot = this.#slot(left, right)
    if (this.#merged[slot] !== -1) return
    this.#left[slot] = left
    this.#right[slot] = right
    this.#rank[slot] = rank
    this.#merged[slot] = merged
  }

  /** The lower, the sooner the pair merges; -1 when it does not. */
  rank(left: number, right: number): number {
    const slot = this.#slot(left, right)
    return this.#merged[slot] === -1 ? -1 : this.#rank[slot]!
  }

  /** What the pair merges into, -1 when it does not. */
  merged(left: number, right: number): number {
    return this.#merged[this.#slot(left, right)]!
  }

  #slot(left: number, right: number): number {
    // Knuth's multiplicative hashing: the high bits of a product are the well-mixed ones.
    let slot = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b) >>> this.#shift
    while (this.#merged[slot] !== -1 && (this.#left[slot] !== left || this.#right[slot] !== right)) {
      slot = (slot + 1) & this.#mask
    }
    return slot
  }
}
