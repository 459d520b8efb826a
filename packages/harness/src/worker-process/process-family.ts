import { readdirSync, readFileSync } from 'node:fs'
import { parseStat } from '../probes/process-facts.ts'
import type { ProcessIdentity } from './process-identity.ts'

/** In the environment of a worker, and so of all that it starts: whoever left its tree is known by it (Linux). */
export const FAMILY_VARIABLE = 'PLUMBLINE_HARNESS_FAMILY'

/**
 * The living processes that come from those of `roots`, but for them: their children and theirs by /proc, whoever has `mark` in its
 * environment, those of `seen`, and their children and theirs. Empty where there is no /proc. It does not wait, so that it can be
 * asked while the harness exits.
 */
export function processFamily(
  roots: readonly number[],
  seen: readonly ProcessIdentity[],
  mark: string,
): ProcessIdentity[] {
  const found = readNames('/proc').map((name) => [Number(name), parseStat(readText(`/proc/${name}/stat`))] as const)
  const stats = new Map(found.flatMap(([pid, stat]) => (stat === undefined ? [] : [[pid, stat] as const])))
  const known = new Map(roots.map((pid) => [pid, true]))
  for (const { pid, startTicks } of seen) if (stats.get(pid)?.startTicks === startTicks) known.set(pid, true)
  const belongs = (other: number): boolean => {
    let answer = known.get(other)
    if (answer === undefined) {
      // Pids that are given again while /proc is read could make a circle.
      known.set(other, false)
      const stat = stats.get(other)
      answer = stat !== undefined && (belongs(stat.parentPid) || isMarked(other, mark))
      known.set(other, answer)
    }
    return answer
  }
  return [...stats].flatMap(([other, { startTicks }]) =>
    !roots.includes(other) && other !== process.pid && belongs(other) ? [{ pid: other, startTicks }] : [],
  )
}

function isMarked(pid: number, mark: string): boolean {
  return readText(`/proc/${pid}/environ`).split('\0').includes(`${FAMILY_VARIABLE}=${mark}`)
}

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d+$/.test(name))
  } catch {
    return []
  }
}

/** Empty where it may not be read, or is gone. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
