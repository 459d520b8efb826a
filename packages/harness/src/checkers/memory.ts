import { type Check, fail, judge, NOT_INSIDE, notMeasurable } from './check.ts'

const MIB = 2 ** 20

/** The engine holds as much memory as it says, and as the model needs. */
export const memoryCheck: Check = {
  name: 'memory',
  fromInside: true,
  run({ inside, healthAfter, subject }) {
    const mib = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`
    const expected = `the engine's resident memory (/proc) holds the ${mib(subject.tensorBytes)} of tensors and what /health says is used`
    if (inside === undefined) return notMeasurable(expected, NOT_INSIDE)
    const { engine } = inside.after
    const health = healthAfter?.health
    if (engine === undefined || health === undefined) return fail(expected, 'no engine process to look at')
    const claimed = health.memory_bytes_used
    const seen = `${mib(engine.residentPeakBytes)} resident, /health says ${mib(claimed)}`
    const onCpu = health.device === 'cpu'
    const holdsModel = !onCpu || (engine.residentPeakBytes >= subject.tensorBytes && claimed >= subject.tensorBytes)
    return judge(holdsModel && claimed <= engine.residentPeakBytes, expected, seen)
  },
}
