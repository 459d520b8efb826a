import type { Histogram, Registry } from 'prom-client'

/**
 * A histogram without labels for what happens with every token. prom-client's own hashes labels at each observation; this one counts in
 * an array, and makes the values when somebody asks.
 */
export class PlainHistogram {
  readonly name: string
  readonly #help: string
  readonly #bounds: readonly number[]
  /** By bucket, the last one for what is above all bounds. */
  readonly #counts: number[]
  #sum = 0

  constructor(name: string, help: string, bounds: readonly number[], registry: Registry) {
    this.name = name
    this.#help = help
    this.#bounds = bounds
    this.#counts = new Array<number>(bounds.length + 1).fill(0)
    // A registry asks a metric for its name and its values alone.
    registry.registerMetric(this as unknown as Histogram)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++
    this.#counts[bucket]! += 1
    this.#sum += value
  }

  async get() {
    let count = 0
    const buckets = this.#counts.map((inBucket, index) => {
      count += inBucket
      return { metricName: `${this.name}_bucket`, labels: { le: this.#bounds[index] ?? '+Inf' }, value: count }
    })
    const totals = [
      { metricName: `${this.name}_sum`, labels: {}, value: this.#sum },
      { metricName: `${this.name}_count`, labels: {}, value: count },
    ]
    return { name: this.name, help: this.#help, type: 'histogram', values: [...buckets, ...totals] }
  }
}
