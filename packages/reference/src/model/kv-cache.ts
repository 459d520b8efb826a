/** The keys and values of one layer, of all positions so far; grows as it is filled. */
export class KvCache {
  readonly keyWidth: number
  readonly valueWidth: number
  /** [length, keyWidth], after RoPE. */
  keys: Float64Array = new Float64Array(0)
  /** [length, valueWidth] */
  values: Float64Array = new Float64Array(0)

  constructor(keyWidth: number, valueWidth: number) {
    this.keyWidth = keyWidth
    this.valueWidth = valueWidth
  }

  /** Writes rows from `position` on, over what may stand there. */
  write(position: number, keys: Float64Array, values: Float64Array): void {
    this.keys = placed(this.keys, position * this.keyWidth, keys)
    this.values = placed(this.values, position * this.valueWidth, values)
  }
}

function placed(store: Float64Array, at: number, rows: Float64Array): Float64Array {
  let target = store
  if (at + rows.length > store.length) {
    target = new Float64Array(Math.max(at + rows.length, 2 * store.length))
    target.set(store)
  }
  target.set(rows, at)
  return target
}
