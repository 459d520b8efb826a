const CHECK_INTERVAL_MS = 100
/** A check that comes this late says that this process was held up itself, so the news may be waiting unread. */
const LATE_MS = 500

/** Calls `onStall` once nothing has been heard for a while. Costs nothing while it is not watching. */
export class StallWatch {
  readonly #onStall: () => void
  #timer: NodeJS.Timeout | undefined
  #lastNews = performance.now()
  #limitMs = Number.POSITIVE_INFINITY

  constructor(onStall: () => void) {
    this.#onStall = onStall
  }

  /** Counts from now. */
  start(limitMs: number): void {
    this.#limitMs = limitMs
    this.news()
    if (this.#timer) return
    let lastCheck = performance.now()
    this.#timer = setInterval(() => {
      const late = performance.now() - lastCheck > LATE_MS
      lastCheck = performance.now()
      if (late || this.silenceMs < this.#limitMs) return
      this.stop()
      this.#onStall()
    }, CHECK_INTERVAL_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  news(): void {
    this.#lastNews = performance.now()
  }

  get watching(): boolean {
    return this.#timer !== undefined
  }

  get silenceMs(): number {
    return performance.now() - this.#lastNews
  }
}
