import type { Health } from '@plumbline/protocol'
import type { Evidence } from '../evidence/evidence.ts'
import type { Check } from './check.ts'
import { fail, pass } from './check.ts'

/** /health is what the protocol says, of the model what its file says, and of the worker what was asked for, each time. */
export const healthCheck: Check = {
  name: 'health',
  fromInside: false,
  run(evidence) {
    const { healthBefore, healthAfter, subject } = evidence
    const expected =
      `healthy; architecture ${subject.architecture}, ${subject.vocabSize} tokens, ` +
      `context ${subject.contextLength}, as asked, no engine restart`
    const records = { 'before the first stream': healthBefore, 'after the last stream': healthAfter }
    for (const [when, record] of Object.entries(records)) {
      if (record === undefined) return fail(expected, `${when}: no answer`)
      const { health } = record
      if (health === undefined) return fail(expected, `${when}: HTTP ${record.status}: ${record.problem}`)
      if (record.status !== 200) return fail(expected, `${when}: HTTP ${record.status}`)
      const wrong = due(evidence).find(([field, value]) => health[field] !== value)
      if (wrong !== undefined) return fail(expected, `${when}: ${wrong[0]} ${health[wrong[0]]}, not ${wrong[1]}`)
      if (health.engine.state !== 'ready') return fail(expected, `${when}: the engine is ${health.engine.state}`)
      // A name may tell more: Q4_K_M is a mix that is mostly Q4_K.
      if (!health.quant_kind?.startsWith(subject.quantKind)) {
        return fail(expected, `${when}: quant_kind ${health.quant_kind}, and most weights are ${subject.quantKind}`)
      }
    }
    const before = healthBefore.health!
    const after = healthAfter!.health!
    const moved = CONSTANT.find((field) => before[field] !== after[field])
    if (moved !== undefined) return fail(expected, `${moved} was ${before[moved]}, and is ${after[moved]}`)
    const clock = clockProblem(evidence)
    if (clock !== undefined) return fail(expected, clock)
    const restarts = after.engine.restarts - before.engine.restarts
    const seen = `${after.status}; architecture ${after.architecture}, ${after.vocab_size} tokens, ${restarts} engine restarts`
    return restarts === 0 ? pass(expected, seen) : fail(expected, seen)
  },
}

/** An answer may be so long under way, on a busy machine. */
const CLOCK_SECONDS = 10

/** What does not change while a worker lives. */
const CONSTANT = ['model', 'quant_kind', 'precision', 'device', 'context_length', 'version', 'worker_id'] as const

/** What is wrong with uptime_seconds, in words: it counts from no earlier than the start, and as fast as time goes. */
function clockProblem({ healthBefore, healthAfter, inside }: Evidence): string | undefined {
  const [first, last] = [healthBefore.health!.uptime_seconds, healthAfter!.health!.uptime_seconds]
  const passed = (healthAfter!.receivedAtMs - healthBefore.receivedAtMs) / 1000
  if (Math.abs(last - first - passed) > CLOCK_SECONDS) {
    return `uptime_seconds went from ${first} to ${last} in ${passed.toFixed(1)} s`
  }
  if (inside === undefined) return undefined
  const age = (healthBefore.receivedAtMs - inside.spawnedAtMs) / 1000
  return first > age + 1 ? `uptime_seconds ${first}, ${age.toFixed(1)} s after the worker was started` : undefined
}

/** What each answer must say; of a worker that was found, nothing is known of what it was asked. */
function due(evidence: Evidence): [keyof Health, string | number | boolean][] {
  const { subject, spawned, asked } = evidence
  const values: [keyof Health, string | number | boolean | undefined][] = [
    ['status', 'healthy'],
    ['architecture', subject.architecture],
    ['vocab_size', subject.vocabSize],
    // Whoever started it may have given it a shorter one.
    ['context_length', spawned ? subject.contextLength : undefined],
    ['worker_id', asked.workerId],
    ['device', asked.device],
    ['precision', asked.precision],
    ['resident', true],
    ['vram_bytes_used', evidence.healthBefore.health?.device === 'cpu' ? 0 : undefined],
  ]
  return values.flatMap(([field, value]) => (value === undefined ? [] : [[field, value]]))
}
