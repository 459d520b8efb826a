import type { ProcessFacts } from '../probes/process-facts.ts'
import { type Check, fail, NOT_INSIDE, notMeasurable, pass } from './check.ts'
import { computesOnGpu } from './computes-on-gpu.ts'

const MIB = 2 ** 20
/** A worker looks at its memory now and then, and its processes go on living: so far its figure may be off. */
const SHARE_OFF = 0.25
const BYTES_OFF = 8 * MIB
/** Of the model's tensors, what must be resident in the end, mapped or repacked: a system short of memory takes pages back. */
const LEAST_RESIDENT = 0.5
/** What processes may grow by in a run, beyond keys and values: buffers, and what a garbage collector has not got to yet. */
const GROWTH = 256 * MIB

/** The worker's processes hold as much memory as /health says, the engine as much as the model needs, and no more and more. */
export const memoryCheck: Check = {
  name: 'memory',
  fromInside: true,
  run(evidence) {
    const { inside, healthAfter, subject } = evidence
    const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`
    const expected =
      `memory_bytes_used is what /proc says of both processes, within ${SHARE_OFF * 100} %; on a CPU the engine ` +
      `holds the ${mib(subject.tensorBytes)} of tensors; growth at most ${mib(GROWTH + subject.keyValueBytes)}`
    if (inside === undefined) return notMeasurable(expected, NOT_INSIDE)
    const { front, engine } = inside.after
    const health = healthAfter?.health
    if (front === undefined || engine === undefined || health === undefined) return fail(expected, 'nothing to look at')
    const held = heldBytes(front) + heldBytes(engine)
    const claimed = health.memory_bytes_used
    const figures = `/proc: ${mib(held)}, ${mib(engine.residentPeakBytes)} resident in the engine; /health: ${mib(claimed)}`
    if (Math.abs(claimed - held) > Math.max(SHARE_OFF * held, BYTES_OFF)) return fail(expected, figures)
    if (!computesOnGpu(evidence)) {
      const tensors = mib(subject.tensorBytes)
      if (engine.residentPeakBytes < subject.tensorBytes) return fail(expected, `${figures}: no room for ${tensors}`)
      if (engine.residentBytes < LEAST_RESIDENT * subject.tensorBytes) {
        return fail(expected, `${figures}, ${mib(engine.residentBytes)} of it now: no room for ${tensors}`)
      }
    }
    const { front: frontBefore, engine: engineBefore } = inside.before
    if (frontBefore === undefined || engineBefore === undefined)
      return fail(expected, 'nothing to look at before the first stream')
    const grown = held - heldBytes(frontBefore) - heldBytes(engineBefore)
    if (grown > GROWTH + subject.keyValueBytes) {
      return fail(expected, `${figures}, ${mib(grown)} more than before the first stream`)
    }
    return pass(expected, figures)
  },
}

function heldBytes(process: ProcessFacts): number {
  return process.proportionalBytes ?? process.residentBytes
}
