import type { ProcessFacts } from '../probes/process-facts.ts'
import { type Check, fail, judge, NOT_INSIDE, notMeasurable } from './check.ts'

const MIB = 2 ** 20
/** A worker looks at its memory now and then, and its processes go on living: so far its figure may be off. */
const SHARE_OFF = 0.25
const BYTES_OFF = 8 * MIB

/** The worker's processes hold as much memory as /health says, and the engine as much as the model needs. */
export const memoryCheck: Check = {
  name: 'memory',
  fromInside: true,
  run({ inside, healthAfter, subject }) {
    const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`
    const expected =
      `memory_bytes_used is what /proc says of both processes, within ${SHARE_OFF * 100} %; ` +
      `on a CPU the engine holds the ${mib(subject.tensorBytes)} of tensors`
    if (inside === undefined) return notMeasurable(expected, NOT_INSIDE)
    const { front, engine } = inside.after
    const health = healthAfter?.health
    if (front === undefined || engine === undefined || health === undefined) return fail(expected, 'nothing to look at')
    const held = heldBytes(front) + heldBytes(engine)
    const claimed = health.memory_bytes_used
    const honest = Math.abs(claimed - held) <= Math.max(SHARE_OFF * held, BYTES_OFF)
    const holdsModel = health.device !== 'cpu' || engine.residentPeakBytes >= subject.tensorBytes
    const seen = `/proc: ${mib(held)}, ${mib(engine.residentPeakBytes)} resident in the engine; /health: ${mib(claimed)}`
    return judge(honest && holdsModel, expected, seen)
  },
}

function heldBytes(process: ProcessFacts): number {
  return process.proportionalBytes ?? process.residentBytes
}
