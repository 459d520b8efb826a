import { FREE_FROM, kernelMemory, makeKernels } from '../kernels/kernels.ts'
import type { Values } from '../recording/recording.ts'

export interface Statistics {
  /** Of the finite values; NaN where there are none. */
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly rms: number
  readonly nonfinite: number
}

const AT_ONCE = 1 << 16
const LANES = 4

let kernel: ReturnType<typeof makeKernel> | undefined

function makeKernel() {
  const memory = kernelMemory(4 * AT_ONCE + 64)
  const out = FREE_FROM + 4 * AT_ONCE
  return {
    kernels: makeKernels(memory),
    values: new Float32Array(memory.buffer, FREE_FROM, AT_ONCE),
    out,
    found: new Float64Array(memory.buffer, out, 5),
  }
}

/** What a trace's records say of their values, of values that come in parts. */
export class ValueStatistics {
  #least = Number.POSITIVE_INFINITY
  #most = Number.NEGATIVE_INFINITY
  #sum = 0
  #squares = 0
  #strange = 0
  #count = 0

  add(values: Values): void {
    this.#count += values.length
    const even = values instanceof Float32Array ? values.length - (values.length % LANES) : 0
    for (let from = 0; from < even; from += AT_ONCE)
      this.#addFloats(values.subarray(from, Math.min(even, from + AT_ONCE)))
    for (let index = even; index < values.length; index++) this.#addOne(values[index]!)
  }

  result(): Statistics {
    const finite = this.#count - this.#strange
    const [min, max] = finite === 0 ? [Number.NaN, Number.NaN] : [this.#least, this.#most]
    return { min, max, mean: this.#sum / finite, rms: Math.sqrt(this.#squares / finite), nonfinite: this.#strange }
  }

  #addFloats(part: Values): void {
    kernel ??= makeKernel()
    kernel.values.set(part)
    kernel.kernels.describeValues(FREE_FROM, part.length, kernel.out)
    const [least, most, sum, squares, strange] = kernel.found as unknown as [number, number, number, number, number]
    this.#least = Math.min(this.#least, least)
    this.#most = Math.max(this.#most, most)
    this.#sum += sum
    this.#squares += squares
    this.#strange += strange
  }

  #addOne(value: number): void {
    if (!Number.isFinite(value)) {
      this.#strange++
      return
    }
    this.#least = Math.min(this.#least, value)
    this.#most = Math.max(this.#most, value)
    this.#sum += value
    this.#squares += value * value
  }
}
