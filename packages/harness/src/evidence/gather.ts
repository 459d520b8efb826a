import { setTimeout as sleep } from 'node:timers/promises'
import { defaultSampling } from '@plumbline/haiku-nano'
import { type ExecuteRequestBody, LIMITS } from '@plumbline/protocol'
import { type Challenge, makeChallenge, makeNonce } from '../challenge/challenge.ts'
import { isHaiku } from '../checkers/haiku.ts'
import { judgeProbe, PROBES } from '../checkers/stream-probe.ts'
import { watchCpu } from '../probes/cpu-timeline.ts'
import { identifyFile } from '../probes/file-identity.ts'
import { getHealth, type HealthRecord } from '../probes/health.ts'
import { countHeldUp } from '../probes/held-up.ts'
import type { Endpoint } from '../probes/http.ts'
import { listensAt } from '../probes/listening.ts'
import { getMetrics, getSettledMetrics } from '../probes/metrics.ts'
import { ancestors, readProcessFacts } from '../probes/process-facts.ts'
import { recordStream } from '../probes/record-stream.ts'
import type { Frame, StreamPurpose, StreamRecord } from '../probes/stream-record.ts'
import { viewStream } from '../probes/stream-view.ts'
import type { SpawnedWorker } from '../worker-process/acquire-worker.ts'
import type { Asked, Attempt, Evidence, StreamEvidence } from './evidence.ts'
import { processSnapshot } from './process-snapshot.ts'
import { type Replay, replayStream } from './replay.ts'
import { replaySpeed } from './replay-speed.ts'
import { promptTokenIds, type Subject } from './subject.ts'
import { statedActivations } from './tolerance.ts'

/** Most tokens of a haiku: three times what one needs. */
const HAIKU_TOKENS = 128
/** Before the first probe; twice as long before the second, and so on. */
const REST_MS = 300
/** Of a probe, however slow the reference that is to replay it. */
const LEAST_PROBE_TOKENS = 128

export interface GatherOptions {
  readonly endpoint: Endpoint
  readonly subject: Subject
  /** /health when it first was healthy. */
  readonly health: HealthRecord
  readonly asked: Asked
  /** undefined with --url. */
  readonly spawned: SpawnedWorker | undefined
  readonly attempts: number
  readonly streamTimeoutMs: number
  /** About how long the replay of the stream probe may take: it decides how long the probe is. */
  readonly replayMs: number
  readonly signal: AbortSignal
  readonly onStage: (stage: Stage) => void
}

export type Stage =
  | { name: 'challenge'; attempt: number; challenge: Challenge }
  | { name: 'answer'; attempt: number; stream: StreamRecord }
  | { name: 'probe'; tokens: number }
  | { name: 'replay'; done: number; draws: number }

/** The request that asks the model a challenge. Without a chat template, the prompt is the text as it is. */
export function challengeRequest(subject: Subject, challenge: Challenge): ExecuteRequestBody {
  return {
    job_id: challenge.nonce,
    ...(subject.tokenizer.hasChatTemplate
      ? { messages: [{ role: 'user', content: challenge.prompt }] }
      : { prompt: challenge.prompt }),
    max_tokens: HAIKU_TOKENS,
    seed: challenge.seed,
    ...defaultSampling,
  }
}

/** Asks, asks again, probes, and writes down what comes. Judges only whether another attempt at a haiku is due. */
export async function gatherStreams(options: GatherOptions): Promise<StreamEvidence> {
  const { endpoint, subject, health, signal, onStage } = options
  const contextLength = Math.min(health.health?.context_length ?? subject.contextLength, subject.contextLength)
  const record = (
    purpose: StreamPurpose,
    attempt: number,
    body: ExecuteRequestBody,
    onFrame?: (frame: Frame) => void,
  ) => {
    const timeoutMs = options.streamTimeoutMs
    return recordStream({ endpoint, purpose, attempt, body, timeoutMs, signal, ...(onFrame && { onFrame }) })
  }
  const recordProbe = async (number: number, wanted: number) => {
    const challenge = makeChallenge(subject.wording)
    const body = challengeRequest(subject, challenge)
    const room = contextLength - promptTokenIds(subject, body).length
    const tokens = Math.max(1, Math.min(wanted, LIMITS.maxTokens, room))
    let arrived = 0
    const enginePid = options.spawned === undefined ? undefined : (health.health?.engine.pid ?? undefined)
    const { result, heldUpMs } = await countHeldUp(() =>
      watchCpu(enginePid, () =>
        record('probe', number, { ...body, max_tokens: tokens, ignore_eos: true }, (frame) => {
          if (frame.kind === 'event' && frame.event === 'token' && arrived++ % 32 === 0)
            onStage({ name: 'probe', tokens: arrived })
        }),
      ),
    )
    return { ...result.result, heldUpMs, engineCpu: result.samples }
  }
  const snapshot = () => processSnapshot(health.health, options.spawned?.pid)
  const before = await snapshot()
  const frontAncestors = health.health === undefined ? [] : await ancestors(health.health.front_pid)
  const metricsBefore = await getMetrics(endpoint).catch(() => undefined)

  const attempts: Attempt[] = []
  let repeat: StreamRecord | undefined
  const earlierProbes: StreamRecord[] = []
  let probe: StreamRecord | undefined
  let whole = true
  for (let attempt = 1; attempt <= options.attempts && whole && !signal.aborted; attempt++) {
    const challenge = makeChallenge(subject.wording)
    onStage({ name: 'challenge', attempt, challenge })
    const stream = await record('haiku', attempt, challengeRequest(subject, challenge))
    attempts.push({ challenge, stream })
    onStage({ name: 'answer', attempt, stream })
    whole = viewStream(stream).end !== undefined
    if (isHaiku(attempts.at(-1)!)) break
  }
  const last = attempts.at(-1)
  if (last !== undefined && whole && !signal.aborted) {
    const { challenge } = last
    const again = { ...challenge, nonce: makeNonce() }
    repeat = await record('repeat', attempts.length, challengeRequest(subject, again))
    // All of it will be replayed, so it is as long as there is time for; where nobody could tell from it, it grows.
    const speed = replaySpeed(subject, last.stream, statedActivations(options.asked, health.health))
    let tokens = Math.max(LEAST_PROBE_TOKENS, Math.round((speed * options.replayMs) / 1000))
    // A busy machine lets a process that has computed, as this one did just now, wait for others that have not.
    const rest = (times: number) => sleep(REST_MS * times, undefined, { signal }).catch(() => undefined)
    await rest(1)
    probe = await recordProbe(1, tokens)
    const untold = (stream: StreamRecord) =>
      viewStream(stream).end !== undefined &&
      judgeProbe(stream, options.spawned !== undefined).verdict === 'not measurable'
    while (earlierProbes.length + 1 < PROBES && untold(probe) && !signal.aborted) {
      earlierProbes.push(probe)
      tokens *= 2
      await rest(earlierProbes.length + 1)
      probe = await recordProbe(earlierProbes.length + 1, tokens)
    }
  }

  // A worker may look at its memory only when it is asked: the first question makes the second's answer new.
  await getHealth(endpoint).catch(() => undefined)
  const metricsAfter = await getSettledMetrics(endpoint).catch(() => undefined)
  const healthAfter = await getHealth(endpoint).catch(() => undefined)
  // Where not even the harness itself is to be seen, there is no /proc.
  const visible = (await readProcessFacts(process.pid)) !== undefined
  const inside =
    options.spawned === undefined || !visible
      ? undefined
      : {
          spawnedPid: options.spawned.pid,
          spawnedAtMs: options.spawned.startedAtMs,
          readyPid: options.spawned.readyPid,
          frontListens: health.health && (await listensAt(health.health.front_pid, endpoint.baseUrl)),
          frontAncestors,
          expectedExecutable: options.spawned.expectedExecutable,
          before,
          after: await snapshot(),
        }
  return {
    subject,
    // A connection closes a moment before its process has ended.
    workerEnd: await options.spawned?.ended(healthAfter === undefined ? 1_000 : 0),
    spawned: options.spawned !== undefined,
    asked: options.asked,
    attempts,
    repeat,
    probe,
    earlierProbes,
    healthBefore: health,
    healthAfter,
    metricsBefore,
    metricsAfter,
    inside,
  }
}

/** Replays all haiku and the probe: no worker is needed for it. Then looks whether the file it all rests on is the same still. */
export async function gatherReplays(
  evidence: StreamEvidence,
  options: Pick<GatherOptions, 'asked' | 'signal' | 'onStage'>,
): Promise<Pick<Evidence, 'replays' | 'fileAfter'>> {
  const activations = statedActivations(options.asked, evidence.healthBefore.health)
  const replays: Replay[] = []
  // The repeat is the haiku again: same-seed says so, or fails. Earlier probes were judged on nothing.
  const streams = [...evidence.attempts.map(({ stream }) => stream), evidence.probe]
  for (const stream of streams.filter((stream) => stream !== undefined)) {
    const onProgress = (done: number, draws: number) => options.onStage({ name: 'replay', done, draws })
    replays.push(await replayStream(evidence.subject, stream, { activations, signal: options.signal, onProgress }))
  }
  return { replays, fileAfter: await identifyFile(evidence.subject.path).catch(() => undefined) }
}
