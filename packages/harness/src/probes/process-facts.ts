import { readdir, readFile, readlink } from 'node:fs/promises'

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
  const stat = await readStat(pid)
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined)
  if (stat === undefined || status === undefined) return undefined
  // /proc answers for the id of a thread too.
  if (numberOf(status, 'Tgid') !== pid) return undefined
  return {
    pid,
    ...stat,
    executable: await readlink(`/proc/${pid}/exe`).catch(() => null),
    residentBytes: kibibytes(status, 'VmRSS') ?? 0,
    residentPeakBytes: kibibytes(status, 'VmHWM') ?? 0,
    proportionalBytes: await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').then(
      (text) => kibibytes(text, 'Pss') ?? null,
      () => null,
    ),
  }
}

/** The part of it that takes no time to look at. */
async function readStat(pid: number): Promise<Pick<ProcessFacts, 'parentPid' | 'startTicks' | 'cpuMs'> | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  // The second field is the program's name in parentheses, and may hold anything: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  return {
    parentPid: Number(fields[1]),
    startTicks: Number(fields[19]),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
  }
}

/** User and system time of a process so far, in milliseconds. */
export async function readCpuMs(pid: number): Promise<number | undefined> {
  return (await readStat(pid))?.cpuMs
}

/** CPU time so far of all processes that come from `pid`, itself included, but for `except`: milliseconds by pid. */
export async function familyCpuMs(pid: number, except: readonly number[]): Promise<Readonly<Record<number, number>>> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number)
  const stats = new Map(await Promise.all(pids.map(async (other) => [other, await readStat(other)] as const)))
  const comesFrom = (other: number): boolean => {
    if (other === pid) return true
    const parent = stats.get(other)?.parentPid
    return parent !== undefined && parent > 1 && comesFrom(parent)
  }
  const others = pids.filter((other) => stats.get(other) !== undefined && !except.includes(other) && comesFrom(other))
  return Object.fromEntries(others.map((other) => [other, stats.get(other)!.cpuMs]))
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
  const number = numberOf(text, key)
  return number === undefined ? undefined : number * 1024
}

function numberOf(text: string, key: string): number | undefined {
  const match = new RegExp(`^${key}:\\s+(\\d+)(?: kB)?$`, 'm').exec(text)
  return match === null ? undefined : Number(match[1])
}
