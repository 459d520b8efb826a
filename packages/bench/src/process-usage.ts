import { readdir, readFile } from 'node:fs/promises'

/**
 * CPU time of a process so far, in seconds: all of its threads, to the nanosecond (/proc/PID/task/TID/schedstat; /proc/PID/stat
 * counts hundredths of a second). Threads that have ended are left out: a server's are there from its start.
 */
export async function cpuSeconds(pid: number): Promise<number> {
  const tasks = await readdir(`/proc/${pid}/task`)
  const times = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/schedstat`, 'utf8').catch(() => '0')),
  )
  return times.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e9
}

/** Resident memory in bytes, shared pages divided among those who share them. */
export async function proportionalBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN) * 1024
}
