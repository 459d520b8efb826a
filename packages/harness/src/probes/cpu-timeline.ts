import { readCpuMs } from './process-facts.ts'

/** How much CPU time a process had used, in all, at one moment of a stream. */
export interface CpuSample {
  /** Milliseconds after the request. */
  readonly ms: number
  readonly cpuMs: number
}

/** Linux counts in hundredths of a second: looking more often shows nothing new. */
const TICK_MS = 10

/** Runs `work` and follows the CPU time of process `pid` meanwhile; no samples where there is no such process, or no /proc. */
export async function watchCpu<T>(
  pid: number | undefined,
  work: () => Promise<T>,
): Promise<{ result: T; samples: CpuSample[] }> {
  const samples: CpuSample[] = []
  const start = performance.now()
  const look = async () => {
    if (pid === undefined) return
    const cpuMs = await readCpuMs(pid)
    // After the reading: what is told to be computed by now was.
    if (cpuMs !== undefined) samples.push({ ms: performance.now() - start, cpuMs })
  }
  let last = look()
  await last
  const timer = setInterval(() => {
    last = last.then(look)
  }, TICK_MS)
  try {
    const result = await work()
    clearInterval(timer)
    await last
    await look()
    return { result, samples }
  } finally {
    clearInterval(timer)
  }
}

/** CPU time used between the first sample and `ms`, as a share of that between the first and the last; linear in between. */
export function cpuShareAt(samples: readonly CpuSample[], ms: number): number {
  const [first, last] = [samples[0]!, samples.at(-1)!]
  const after = samples.findIndex((sample) => sample.ms >= ms)
  if (after === 0) return 0
  if (after < 0) return 1
  const [a, b] = [samples[after - 1]!, samples[after]!]
  const used = a.cpuMs + ((b.cpuMs - a.cpuMs) * (ms - a.ms)) / (b.ms - a.ms || 1)
  return (used - first.cpuMs) / (last.cpuMs - first.cpuMs || 1)
}
