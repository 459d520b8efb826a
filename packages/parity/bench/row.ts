/** One promise, and what was measured. */
export interface Row {
  readonly what: string
  readonly target: number
  readonly unit: string
  /** The target is the least that it must be, else the most. */
  readonly least: boolean
  /** By the clock, over the rounds. */
  readonly median: number
  /** The same by CPU time of all threads: what others do on the machine matters less to it. */
  readonly cpu: number | null
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

/** Since a moment: by the clock, and CPU time of all threads, in seconds. */
export function stopwatch(): () => { seconds: number; cpuSeconds: number } {
  const begun = performance.now()
  const cpu = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    return { seconds: (performance.now() - begun) / 1000, cpuSeconds: (user + system) / 1e6 }
  }
}
