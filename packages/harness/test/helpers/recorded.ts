// Hand-made evidence for checkers: a stream as a worker would send it, and everything around it.
import type { EndEvent, ExecuteRequestBody, Health, StreamEvent } from '@plumbline/protocol'
import type { Challenge } from '../../src/challenge/challenge.ts'
import type { Evidence, ProcessSnapshot } from '../../src/evidence/evidence.ts'
import type { Replay, ReplayedDraw } from '../../src/evidence/replay.ts'
import type { Subject } from '../../src/evidence/subject.ts'
import { readHealth } from '../../src/probes/health.ts'
import type { ProcessFacts } from '../../src/probes/process-facts.ts'
import type { Frame, StreamRecord } from '../../src/probes/stream-record.ts'

export const challenge: Challenge = {
  madeAt: '2026-01-01T00:54:00.000Z',
  topic: 'rain',
  minuteWord: 'fifty-four',
  word: 'lantern',
  nonce: '0123456789abcdef0123456789abcdef',
  seed: '7',
  prompt: 'write a haiku about rain with fifty-four and lantern in it',
}

export const request: ExecuteRequestBody = { job_id: 'job', prompt: challenge.prompt, max_tokens: 128, seed: '7' }

/** A vocabulary in which each letter of the alphabet is a token: id 0 is "a". */
export const subject = {
  path: '/model.gguf',
  file: {
    device: 'fe:00',
    inode: '7',
    bytes: 1_000,
    modifiedNs: '1',
    changedNs: '1',
    sha256: 'a'.repeat(64),
  },
  architecture: 'llama',
  contextLength: 256,
  quantKind: 'F32',
  tensorBytes: 900,
  keyValueBytes: 100,
  vocabSize: 26,
  tokenizer: {
    hasChatTemplate: false,
    encode: (text: string) => [...text].map((letter) => Math.max(0, letter.charCodeAt(0) - 97)),
    decode: (ids: readonly number[]) => Uint8Array.from(ids, (id) => 97 + id),
    decodeText: (ids: readonly number[]) => ids.map((id) => String.fromCharCode(97 + id)).join(''),
    eosIds: new Set([25]),
  },
} as unknown as Subject

export const promptTokens = challenge.prompt.length

export function started(overrides: object = {}): StreamEvent {
  return {
    type: 'started',
    job_id: 'job',
    model: 'fixture',
    started_at: '2026-01-01T00:54:00.100Z',
    seed: '7',
    prompt_tokens: promptTokens,
    max_tokens: 128,
    device: 'cpu',
    ...overrides,
  }
}

export function token(i: number, tokenId: number, t = String.fromCharCode(97 + tokenId)): StreamEvent {
  return { type: 'token', i, token_id: tokenId, t }
}

export function end(tokensOut: number, overrides: Partial<EndEvent> = {}): StreamEvent {
  return {
    type: 'end',
    tokens_out: tokensOut,
    t: '',
    decode_time_ms: 30,
    prefill_time_ms: 5,
    stop_reason: 'EOS',
    ...overrides,
  }
}

/** `abc`, honestly. */
export const honestEvents = [started(), token(0, 0), token(1, 1), token(2, 2), end(3)]

export function streamOf(events: readonly StreamEvent[], overrides: Partial<StreamRecord> = {}): StreamRecord {
  const frames = events.map(
    (event, index): Frame => ({
      ms: index * 10,
      kind: 'event',
      id: String(index),
      event: event.type,
      data: JSON.stringify(event),
    }),
  )
  return {
    purpose: 'haiku',
    attempt: 1,
    request,
    sentAt: '2026-01-01T00:54:00.000Z',
    status: 200,
    contentType: 'text/event-stream; charset=utf-8',
    refusal: null,
    frames,
    endsOnFrame: true,
    close: { how: 'complete' },
    endedMs: frames.length * 10,
    ...overrides,
  }
}

export function healthOf(overrides: Partial<Health> = {}, status = 200, receivedAtMs = 1_000) {
  const health: Health = {
    status: 'healthy',
    model: 'fixture',
    model_sha256: subject.file.sha256,
    architecture: 'llama',
    quant_kind: 'F32',
    precision: 'exact',
    device: 'cpu',
    backend: 'cpu:portable',
    built_backends: ['cpu'],
    resident: true,
    memory_bytes_used: 99e6,
    vram_bytes_used: 0,
    tokenizer_kind: 'fixture',
    vocab_size: 26,
    context_length: 256,
    uptime_seconds: 1,
    front_pid: 100,
    engine: { state: 'ready', pid: 101, restarts: 0, last_progress_ms: null },
    queue: { active: 0, waiting: 0 },
    version: '0.0.0',
    worker_id: '00000000-0000-4000-8000-000000000000',
    ...overrides,
  }
  return readHealth(status, JSON.stringify(health), receivedAtMs)
}

const metrics = (tokensIn: number, tokensOut: number) => ({
  status: 200,
  text: `plumbline_worker_tokens_in_total ${tokensIn}\nplumbline_worker_tokens_out_total ${tokensOut}\n`,
})

function processOf(pid: number, parentPid: number, cpuMs: number) {
  const memory = { residentBytes: 60e6, residentPeakBytes: 60e6, proportionalBytes: 50e6 }
  return { pid, parentPid, executable: '/usr/bin/node', startTicks: pid, cpuMs, endedChildrenCpuMs: 0, ...memory }
}

/** The very draw. */
export function replayedDraw(index: number, tokenId: number): ReplayedDraw {
  return { index, tokenId, margin: 0, edge: false, inKeptSet: true, tolerance: 0.01, swayed: false }
}

function replayOf(stream: string, replayed: readonly ReplayedDraw[]): Replay {
  const { length: draws } = replayed
  return { stream, draws, replayed, activations: 'float', ms: 1, impossible: undefined, error: undefined }
}

function snapshotOf(front: ProcessFacts, engine: ProcessFacts): ProcessSnapshot {
  const { path, file } = subject
  const mappedModels = [{ path, device: file.device, inode: file.inode, residentBytes: file.bytes }]
  return { front, engine, mappedModels, holdsGpu: false, othersCpuMs: {} }
}

/** A whole honest run: a haiku, the same again, and a probe whose tokens come one by one. */
export function honestEvidence(): Evidence {
  const stream = streamOf(honestEvents)
  const letters = Array.from({ length: 100 }, (_, index) => token(index, index % 25))
  const probeEvents = [started({ max_tokens: 100 }), ...letters, end(100, { stop_reason: 'MAX_TOKENS' })]
  return {
    subject,
    spawned: true,
    asked: { workerId: healthOf().health!.worker_id, model: undefined, device: 'cpu', precision: 'exact' },
    attempts: [{ challenge, stream }],
    repeat: streamOf(honestEvents, { purpose: 'repeat' }),
    probe: streamOf(probeEvents, { purpose: 'probe', request: { ...request, max_tokens: 100, ignore_eos: true } }),
    earlierProbes: [],
    healthBefore: healthOf(),
    healthAfter: healthOf(),
    metricsBefore: metrics(5, 5),
    metricsAfter: metrics(5 + 3 * promptTokens, 5 + 106),
    inside: {
      spawnedPid: 100,
      spawnedAtMs: 0,
      readyPid: 100,
      frontListens: true,
      frontAncestors: [100, 1],
      expectedExecutable: '/usr/bin/node',
      before: snapshotOf(processOf(100, 99, 10), processOf(101, 100, 10)),
      after: snapshotOf(processOf(100, 99, 20), processOf(101, 100, 500)),
    },
    fileAfter: subject.file,
    workerEnd: undefined,
    replays: [
      replayOf('haiku', [replayedDraw(0, 0), replayedDraw(1, 1), replayedDraw(2, 2), replayedDraw(3, 25)]),
      replayOf(
        'stream probe',
        letters.map((_, index) => replayedDraw(index, index % 25)),
      ),
    ],
  }
}

export { metrics, processOf }
