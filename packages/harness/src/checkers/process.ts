import { allStreams } from '../evidence/evidence.ts'
import { type StreamView, viewStream } from '../probes/stream-view.ts'
import { type Check, fail, NOT_INSIDE, notMeasurable, pass } from './check.ts'
import { computesOnGpu } from './computes-on-gpu.ts'

/** Linux counts CPU time in hundredths of a second: what took less may count as nothing. */
const LEAST_BUSY_MS = 100
/** Of the time in which tokens came, what the engine must have computed: a busy machine may leave it little. */
const LEAST_COMPUTED_SHARE = 0.05

/** The processes that /health names are those that the harness started, and they did the work. */
export const processCheck: Check = {
  name: 'process',
  fromInside: true,
  run(evidence) {
    const { inside, healthAfter, healthBefore } = evidence
    const expected =
      'the front process that was spawned answers, the engine is its child, and it is the engine that computed'
    if (inside === undefined) return notMeasurable(expected, NOT_INSIDE)
    const health = healthAfter?.health ?? healthBefore.health
    if (health === undefined) return fail(expected, '/health does not say')
    for (const record of [healthBefore.health, healthAfter?.health]) {
      if (record !== undefined && (record.front_pid !== health.front_pid || record.engine.pid !== health.engine.pid)) {
        const seen = `front ${record.front_pid} and engine ${record.engine.pid}, then ${health.front_pid} and ${health.engine.pid}`
        return fail(expected, seen)
      }
    }
    const { front, engine } = inside.after
    if (!inside.frontAncestors.includes(inside.spawnedPid)) {
      return fail(
        expected,
        `front_pid ${health.front_pid} does not come from the process spawned, ${inside.spawnedPid}`,
      )
    }
    if (front === undefined) return fail(expected, `front_pid ${health.front_pid} is no process`)
    if (inside.readyPid !== front.pid) {
      return fail(expected, `the listening line says pid ${inside.readyPid}, and /health front_pid ${front.pid}`)
    }
    if (inside.frontListens === false) {
      return fail(expected, `front_pid ${front.pid} does not hold the socket that answers: another process does`)
    }
    if (front.startTicks !== inside.before.front?.startTicks)
      return fail(expected, 'the front process is not the one of the start')
    if (engine === undefined) return fail(expected, `engine pid ${health.engine.pid} is no process`)
    if (engine.parentPid !== front.pid) {
      return fail(expected, `the parent of engine ${engine.pid} is ${engine.parentPid}, not the front ${front.pid}`)
    }
    if (engine.startTicks !== inside.before.engine?.startTicks)
      return fail(expected, 'the engine is not the one of the start')
    const { expectedExecutable } = inside
    for (const process of [front, engine]) {
      if (expectedExecutable !== null && process.executable !== expectedExecutable) {
        return fail(expected, `process ${process.pid} is ${process.executable}, not ${expectedExecutable}`)
      }
    }
    const busyMs = allStreams(evidence).reduce((sum, stream) => sum + decodeMs(viewStream(stream)), 0)
    const computedMs = engine.cpuMs - inside.before.engine.cpuMs
    if (!computesOnGpu(evidence) && busyMs >= LEAST_BUSY_MS && computedMs < LEAST_COMPUTED_SHARE * busyMs) {
      return fail(
        expected,
        `the engine used ${computedMs} ms of CPU time while tokens came for ${busyMs.toFixed(0)} ms`,
      )
    }
    const othersMs = grownMs(inside.before.othersCpuMs, inside.after.othersCpuMs)
    if (othersMs > Math.max(computedMs, LEAST_BUSY_MS)) {
      return fail(
        expected,
        `the engine used ${computedMs} ms of CPU time, and other processes of the worker ${othersMs} ms`,
      )
    }
    return pass(
      expected,
      `front ${front.pid}, engine ${engine.pid}, its child; ${(computedMs / 1000).toFixed(1)} s of CPU time`,
    )
  },
}

function grownMs(before: Readonly<Record<number, number>>, after: Readonly<Record<number, number>>): number {
  return Object.entries(after).reduce((sum, [pid, cpuMs]) => sum + cpuMs - (before[Number(pid)] ?? 0), 0)
}

/** From started to end, as they arrived: what the worker claims of its decode time may be anything. */
function decodeMs({ events, end }: StreamView): number {
  return end === undefined ? 0 : events.at(-1)!.ms - events[0]!.ms
}
