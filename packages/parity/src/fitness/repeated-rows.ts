/** At most that many rows are remembered, 16 bytes each. */
const MOST_ROWS = 1 << 20
/** The share of the table that may be in use. */
const FILLED = 0.8
/** Words of a row that go into its hash: the first ones, which lie together, then as many as these from all over the rest. */
const FIRST_WORDS = 12
const SAMPLED = 5

/** Remembers rows by a hash of some of their bits, so that a row seen before is noticed. The caller reads both to make sure. */
export class RepeatedRows {
  readonly #mask: number
  /** Two hashes, checkpoint, position. */
  readonly #entries: Uint32Array
  #held = 0

  constructor(rows: number) {
    let size = 64
    while (FILLED * size < Math.min(rows, MOST_ROWS)) size *= 2
    this.#mask = size - 1
    this.#entries = new Uint32Array(size * 4)
  }

  /**
   * Where a row with the same hash was seen first; else remembers this one. `words`: 32-bit words, of which the row is `count` from
   * `start` on. `salt` tells apart what may not repeat each other.
   */
  seen(
    words: Uint32Array,
    start: number,
    count: number,
    salt: number,
    checkpoint: number,
    position: number,
  ): { checkpoint: number; position: number } | undefined {
    // Two hashes (MurmurHash3's steps). Words far apart are a wait for memory each.
    const end = start + count
    const near = Math.min(end, start + FIRST_WORDS)
    const stride = Math.max(1, Math.floor((end - near) / SAMPLED))
    let first = salt | 0
    let second = Math.imul(salt + count, 0x9e3779b1)
    for (let i = start; i < end; i += i < near ? 1 : stride) {
      const word = words[i]!
      first = Math.imul(first ^ Math.imul(word, 0xcc9e2d51), 0x1b873593)
      first = (first << 13) | (first >>> 19)
      second = Math.imul(second ^ word, 0x85ebca6b)
      second ^= second >>> 15
    }
    return this.#place(first >>> 0 || 1, second >>> 0 || 1, checkpoint, position)
  }

  #place(
    first: number,
    second: number,
    checkpoint: number,
    position: number,
  ): { checkpoint: number; position: number } | undefined {
    for (let slot = first & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * 4
      if (this.#entries[at] === 0 && this.#entries[at + 1] === 0) {
        if (this.#held >= FILLED * this.#mask) return undefined
        this.#held++
        this.#entries[at] = first
        this.#entries[at + 1] = second
        this.#entries[at + 2] = checkpoint
        this.#entries[at + 3] = position
        return undefined
      }
      if (this.#entries[at] === first && this.#entries[at + 1] === second) {
        return { checkpoint: this.#entries[at + 2]!, position: this.#entries[at + 3]! }
      }
    }
  }
}
