import { readFile, readlink } from 'node:fs/promises'

/** What /proc says about one process (Linux; proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5)). */
export interface ProcessFacts {
  readonly pid: number
  readonly parentPid: number
  /** Absolute path of the program; null when it may not be read. */
  readonly executable: string | null
  /** Clock ticks after boot: with the pid it names one process for good, whatever is given the pid later. */
  readonly startTicks: number
  /** User and system time so far, in milliseconds. */
  readonly cpuMs: number
  /** Resident memory now and at its highest, in bytes. */
  readonly residentBytes: number
  readonly residentPeakBytes: number
  /** Resident memory with shared pages divided among their users; null when it may not be read. */
  readonly proportionalBytes: number | null
}

/** Linux counts CPU time for user space in hundredths of a second, whatever the kernel's own clock. */
const MS_PER_TICK = 10

/** undefined when there is no such process (or it is a zombie), or no /proc. */
export async function readProcessFacts(pid: number): Promise<ProcessFacts | undefined> {
  let stat: string
  let status: string
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    status = await readFile(`/proc/${pid}/status`, 'utf8')
  } catch {
    return undefined
  }
  // The second field is the program's name in parentheses, and may hold anything: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  return {
    pid,
    parentPid: Number(fields[1]),
    executable: await readlink(`/proc/${pid}/exe`).catch(() => null),
    startTicks: Number(fields[19]),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
    residentBytes: kibibytes(status, 'VmRSS') ?? 0,
    residentPeakBytes: kibibytes(status, 'VmHWM') ?? 0,
    proportionalBytes: await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').then(
      (text) => kibibytes(text, 'Pss') ?? null,
      () => null,
    ),
  }
}

/** The processes from `pid` upwards, as pids: itself, its parent, its parent's parent, … */
export async function ancestors(pid: number): Promise<number[]> {
  const line: number[] = []
  for (let at = pid; at > 1; ) {
    const facts = await readProcessFacts(at)
    if (facts === undefined) break
    line.push(at)
    at = facts.parentPid
  }
  return line
}

function kibibytes(text: string, key: string): number | undefined {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text)
  return match === null ? undefined : Number(match[1]) * 1024
}
