/** A growing list of small records of whole numbers, kept as numbers: a long recording has millions. Each is made when it is asked for. */
export class NumberRows<Item> implements Iterable<Item> {
  readonly #width: number
  readonly #read: (numbers: Uint32Array, from: number) => Item
  #numbers: Uint32Array
  #length = 0

  /** `width`: how many numbers a record has. */
  constructor(width: number, read: (numbers: Uint32Array, from: number) => Item) {
    this.#width = width
    this.#read = read
    this.#numbers = new Uint32Array(width * 4)
  }

  get length(): number {
    return this.#length
  }

  push(...numbers: number[]): void {
    const from = this.#length * this.#width
    if (from === this.#numbers.length) {
      const larger = new Uint32Array(from * 2)
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    for (let i = 0; i < this.#width; i++) this.#numbers[from + i] = numbers[i]!
    this.#length++
  }

  /** As Array.at: negative indices count from the end. */
  at(index: number): Item | undefined {
    const place = index < 0 ? this.#length + index : index
    return place < 0 || place >= this.#length ? undefined : this.#read(this.#numbers, place * this.#width)
  }

  *[Symbol.iterator](): Iterator<Item> {
    for (let index = 0; index < this.#length; index++) yield this.#read(this.#numbers, index * this.#width)
  }
}
