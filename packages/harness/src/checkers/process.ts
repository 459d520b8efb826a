import { allStreams } from '../evidence/evidence.ts'
import { type StreamView, viewStream } from '../probes/stream-view.ts'
import { type Check, fail, NOT_INSIDE, notMeasurable, pass } from './check.ts'
import { computesOnGpu, isGpu } from './computes-on-gpu.ts'

/** Linux counts CPU time in hundredths of a second: what took less may count as nothing. */
const LEAST_BUSY_MS = 100
/** Of the time in which tokens came, what the engine must have computed: a busy machine may leave it little. */
const LEAST_COMPUTED_SHARE = 0.05
/**
 * CPU time that a front may take to serve a run, and each of its tokens; what it takes beyond that, it computes. Plumbline's own took
 * 140 to 270 ms: 230 ms for 164 tokens of SmolLM2-135M, 270 ms for 4,032 of haiku-nano.
 */
const SERVING_MS = 1_000
const SERVING_MS_PER_TOKEN = 1

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
    const devices = [health.device, ...allStreams(evidence).map((stream) => viewStream(stream).started?.device)]
    const claimed = devices.find(isGpu)
    if (claimed !== undefined && inside.after.holdsGpu === false) {
      return fail(expected, `device ${claimed}, and engine ${engine.pid} holds no GPU open`)
    }
    const busyMs = allStreams(evidence).reduce((sum, stream) => sum + decodeMs(viewStream(stream)), 0)
    const computedMs = engine.cpuMs - inside.before.engine.cpuMs
    if (!computesOnGpu(evidence) && busyMs >= LEAST_BUSY_MS && computedMs < LEAST_COMPUTED_SHARE * busyMs) {
      return fail(
        expected,
        `the engine used ${computedMs} ms of CPU time while tokens came for ${busyMs.toFixed(0)} ms`,
      )
    }
    const othersMs = total(inside.after.othersCpuMs) - total(inside.before.othersCpuMs)
    const tokens = allStreams(evidence).reduce((sum, stream) => sum + viewStream(stream).tokens.length, 0)
    const frontMs = front.cpuMs - inside.before.front.cpuMs
    const beyondServingMs = Math.max(0, frontMs - SERVING_MS - SERVING_MS_PER_TOKEN * tokens)
    if (othersMs + beyondServingMs > Math.max(computedMs, LEAST_BUSY_MS)) {
      const seen = `the engine used ${computedMs} ms of CPU time, the front ${frontMs} ms for ${tokens} tokens, and other processes of the worker ${othersMs} ms`
      return fail(expected, seen)
    }
    return pass(
      expected,
      `front ${front.pid}, engine ${engine.pid}, its child; ${(computedMs / 1000).toFixed(1)} s of CPU time`,
    )
  },
}

/** Over all of them: the time of one that ends moves to its parent. */
function total(cpuMs: Readonly<Record<number, number>>): number {
  return Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0)
}

/** From started to end, as they arrived: what the worker claims of its decode time may be anything. */
function decodeMs({ events, end }: StreamView): number {
  return end === undefined ? 0 : events.at(-1)!.ms - events[0]!.ms
}
