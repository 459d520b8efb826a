import { setTimeout as sleep } from 'node:timers/promises'
import { readProcessFacts } from '../probes/process-facts.ts'

/** One process for good: a pid may be given again, a pid with its start time is not. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startTicks: number
}

export async function processGone(identity: ProcessIdentity): Promise<boolean> {
  const facts = await readProcessFacts(identity.pid)
  return facts === undefined || facts.startTicks !== identity.startTicks
}

/** Asks again and again; false when the answer is still no after `timeoutMs`. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() >= deadline) return false
    await sleep(20)
  }
  return true
}
