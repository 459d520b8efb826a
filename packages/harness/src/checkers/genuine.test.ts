import type { Health } from '@plumbline/protocol'
import { describe, expect, test } from 'vitest'
import {
  end,
  healthOf,
  honestEvents,
  honestEvidence,
  metrics,
  processOf,
  promptTokens,
  replayedDraw,
  request,
  started,
  streamOf,
  subject,
  token,
} from '../../test/helpers/recorded.ts'
import type { Evidence } from '../evidence/evidence.ts'
import type { Replay, ReplayedDraw } from '../evidence/replay.ts'
import { readHealth } from '../probes/health.ts'
import type { Frame, StreamRecord } from '../probes/stream-record.ts'
import { runChecks, type Verdict } from './check.ts'
import { GENUINE_CHECKS } from './genuine.ts'
import { judgeProbe, PROBES, streamProbeCheck } from './stream-probe.ts'
import { textCheck } from './text.ts'

/** What the checks say that do not pass. */
function verdicts(evidence: Evidence): Record<string, Verdict> {
  const results = runChecks(GENUINE_CHECKS, evidence)
  return Object.fromEntries(
    results.filter(({ verdict }) => verdict !== 'pass').map(({ name, verdict }) => [name, verdict]),
  )
}

const withHaiku = (stream: StreamRecord): Evidence => {
  const evidence = honestEvidence()
  return { ...evidence, attempts: [{ ...evidence.attempts[0]!, stream }] }
}

const withProbe = (probe: StreamRecord): Evidence => ({ ...honestEvidence(), probe })

test('an honest run passes every check', () => {
  expect(verdicts(honestEvidence())).toEqual({})
})

describe('sse-grammar', () => {
  const stream = streamOf(honestEvents)
  const frame = stream.frames[1]!
  const replaced = (change: object) => ({ ...stream, frames: stream.frames.with(1, { ...frame, ...change } as never) })
  test.each<[string, StreamRecord]>([
    ['a frame without an id', replaced({ id: null })],
    ['an id that goes back', replaced({ id: '0' })],
    ['an event field that its data contradicts', replaced({ event: 'started' })],
    ['a frame without an event field', replaced({ event: null })],
    ['a field that the protocol does not know', streamOf([started({ colour: 'red' }), ...honestEvents.slice(1)])],
    ['another content type', { ...stream, contentType: 'application/json' }],
    ['a frame cut off', { ...stream, endsOnFrame: false }],
  ])('fails on %s', (_, record) => {
    expect(verdicts(withHaiku(record))['sse-grammar']).toBe('fail')
  })

  test('fails on data that is not JSON', () => {
    expect(verdicts(withHaiku(replaced({ data: '{' })))['sse-grammar']).toBe('fail')
  })

  test('fails on a refusal, which leaves nothing to measure and nothing unknown', () => {
    const refusal = streamOf([], { status: 503, refusal: 'no', contentType: 'application/json' })
    const seen = verdicts({ ...withHaiku(refusal), repeat: undefined, probe: undefined, replays: [] })
    expect(seen).toMatchObject({ 'sse-grammar': 'fail', replay: 'not measurable', 'stream-probe': 'not measurable' })
    expect(Object.values(seen)).not.toContain('unknown')
  })

  test('lets comments through: a ping is no event', () => {
    const pinged = {
      ...stream,
      frames: stream.frames.toSpliced(2, 0, { ms: 11, kind: 'comment', text: 'ping', count: 1 }),
    }
    expect(verdicts(withHaiku(pinged))).toEqual({})
  })
})

describe('event-order', () => {
  const [first, ...rest] = honestEvents
  const error = { type: 'error', code: 'ENGINE_CRASHED', message: 'gone', retriable: true } as const
  test.each<[string, StreamRecord]>([
    ['no terminal event', streamOf(honestEvents.slice(0, -1))],
    ['two terminal events', streamOf([...honestEvents, end(3)])],
    ['a token after the end', streamOf([...honestEvents, token(3, 3)])],
    ['a token before started', streamOf([token(0, 0), first!, ...rest])],
    ['started twice', streamOf([first!, ...honestEvents])],
    ['an error', streamOf([...honestEvents.slice(0, -1), error])],
    ['a connection that closes after the end', streamOf(honestEvents, { close: { how: 'broken', message: 'reset' } })],
    ['nothing at all', streamOf([])],
  ])('fails on %s', (_, record) => {
    expect(verdicts(withHaiku(record))['event-order']).toBe('fail')
  })
})

describe('request-identity', () => {
  test.each<[string, object]>([
    ['the job_id of another challenge', { job_id: 'yesterday' }],
    ['another seed', { seed: '8' }],
    ['another model in one stream of the run', { model: 'other' }],
    ['another device in one stream of the run', { device: 'cuda:0' }],
  ])('fails on %s', (_, change) => {
    expect(verdicts(withHaiku(streamOf([started(change), ...honestEvents.slice(1)])))).toMatchObject({
      'request-identity': 'fail',
    })
  })
})

test('prompt-tokens fails on a count that is one off', () => {
  const off = started({ prompt_tokens: promptTokens + 1 })
  const seen = verdicts(withHaiku(streamOf([off, ...honestEvents.slice(1)])))
  expect(seen).toMatchObject({ 'prompt-tokens': 'fail' })
})

describe('token-events', () => {
  test.each<[string, StreamRecord]>([
    ['a gap', streamOf([started(), token(0, 0), token(2, 2), end(2)])],
    ['an event twice', streamOf([started(), token(0, 0), token(0, 0), end(2)])],
    ['tokens_out that is one off', streamOf([...honestEvents.slice(0, -1), end(4)])],
    ['more tokens than max_tokens', streamOf([started({ max_tokens: 2 }), ...honestEvents.slice(1)])],
    [
      'an answer cut short by a max_tokens that nobody asked for',
      streamOf([started({ max_tokens: 3 }), ...honestEvents.slice(1, -1), end(3, { stop_reason: 'MAX_TOKENS' })]),
    ],
    ['EOS in spite of ignore_eos', streamOf(honestEvents, { request: { ...request, ignore_eos: true } })],
    ['MAX_TOKENS too early', streamOf([...honestEvents.slice(0, -1), end(3, { stop_reason: 'MAX_TOKENS' })])],
    [
      'a stop sequence that nobody asked for',
      streamOf([...honestEvents.slice(0, -1), end(3, { stop_reason: 'STOP_SEQUENCE' })]),
    ],
  ])('fails on %s', (_, record) => {
    expect(verdicts(withHaiku(record))['token-events']).toBe('fail')
  })
})

describe('text', () => {
  test.each<[string, StreamRecord]>([
    ['text that the ids do not mean', streamOf(honestEvents.with(2, token(1, 1, 'x')))],
    [
      'the right text, all of it with the first token',
      streamOf([started(), token(0, 0, 'abc'), token(1, 1, ''), token(2, 2, ''), end(3)]),
    ],
    [
      'the right text, all of it in end',
      streamOf([started(), token(0, 0, ''), token(1, 1, ''), token(2, 2, ''), end(3, { t: 'abc' })]),
    ],
    ['text left over at the end', streamOf(honestEvents.with(4, end(3, { t: '!' })))],
    ['text left out', streamOf(honestEvents.with(3, token(2, 2, '')))],
    ['an id outside the vocabulary', streamOf(honestEvents.with(2, token(1, 26, 'b')))],
  ])('fails on %s', (_, record) => {
    expect(verdicts(withHaiku(record)).text).toBe('fail')
  })

  test('lets the bytes of an incomplete character wait, and nothing longer than that', () => {
    const bytes = [...Buffer.from('aé')]
    const tokenizer = {
      ...subject.tokenizer,
      decode: (ids: readonly number[]) => Uint8Array.from(ids, (id) => bytes[id]!),
      decodeText: (ids: readonly number[]) => Buffer.from(ids.map((id) => bytes[id]!)).toString(),
    }
    const judged = (...t: string[]) => {
      const stream = streamOf([started(), ...t.map((text, i) => token(i, i, text)), end(3)])
      const evidence = { ...withHaiku(stream), repeat: undefined, probe: undefined }
      return textCheck.run({ ...evidence, subject: { ...subject, tokenizer } }).verdict
    }
    expect(judged('a', '', 'é')).toBe('pass')
    expect(judged('', 'a', 'é')).toBe('fail')
  })

  test('is not measurable, and no pass, while the end is missing', () => {
    expect(verdicts(withHaiku(streamOf(honestEvents.slice(0, -1)))).text).toBe('not measurable')
  })
})

describe('replay', () => {
  const withDraws = (draws: Partial<ReplayedDraw>[], activations: Replay['activations'] = 'float'): Evidence => {
    const replayed = draws.map((draw, index) => ({ ...replayedDraw(index, 0), ...draw }))
    const [replay] = honestEvidence().replays
    return { ...honestEvidence(), replays: [{ ...replay!, activations, draws: draws.length, replayed }] }
  }
  const honest = Array.from({ length: 200 }, (): Partial<ReplayedDraw> => ({}))

  test('passes on margins within the noise and one draw at an edge', () => {
    const draws = [...honest, { margin: 0.01 }, { margin: 3, inKeptSet: false, edge: true }]
    expect(verdicts(withDraws(draws))).toEqual({})
  })

  test.each([
    ['one margin above the noise', [...honest, { margin: 0.011 }]],
    ['one token that was cut', [...honest, { margin: -1, inKeptSet: false }]],
    ['many draws at an edge', [...honest, ...Array.from({ length: 5 }, () => ({ edge: true }))]],
    ['many draws within the noise', [...honest, ...Array.from({ length: 5 }, () => ({ margin: 0.001 }))]],
  ])('fails on %s', (_, draws) => {
    expect(verdicts(withDraws(draws))).toEqual({ replay: 'fail' })
  })

  test.each([
    ['just within', 0.0249, {}],
    ['just above', 0.0251, { replay: 'fail' }],
  ])('a draw %s the noise that its own place allows', (_, margin, seen) => {
    expect(verdicts(withDraws([...honest, { margin, tolerance: 0.025 }]))).toEqual(seen)
  })

  describe('where activations are rounded', () => {
    const others = (count: number, draw: Partial<ReplayedDraw> = {}) =>
      Array.from({ length: count }, () => ({ margin: 0.1, tolerance: 0.2, ...draw }))

    test.each([
      // Of 200: one is usual, and four standard deviations and two more may be.
      ['few others', others(5), {}],
      ['many others', others(6), { replay: 'fail' }],
      ['many others where the rounding sways the draw', others(50, { swayed: true }), {}],
      ['so many swayed that more of the rest are usual', [...others(50, { swayed: true }), ...others(13)], {}],
      ['one draw far into the stream above what its place allows', others(1, { margin: 0.3 }), {}],
      ['two of them', others(2, { margin: 0.3 }), { replay: 'fail' }],
    ])('%s', (_, draws, seen) => {
      expect(verdicts(withDraws([...honest, ...draws], 'q8_16'))).toEqual(seen)
    })

    test('one of the first draws above what its place allows, swayed or not, fails', () => {
      for (const swayed of [false, true]) {
        const draws = honest.with(100, { margin: 0.3, tolerance: 0.2, swayed })
        expect(verdicts(withDraws(draws, 'q8_16'))).toEqual({ replay: 'fail' })
      }
    })
  })

  test('fails on an id that the model does not have, and is unknown when the reference gave up', () => {
    const [replay] = honestEvidence().replays
    const impossible = { ...replay!, impossible: { index: 3, tokenId: 26 } }
    expect(verdicts({ ...honestEvidence(), replays: [impossible] })).toEqual({ replay: 'fail' })
    expect(verdicts({ ...honestEvidence(), replays: [{ ...replay!, error: 'boom' }] })).toEqual({ replay: 'unknown' })
  })

  test('Ctrl-C during the replay: a haiku that was not replayed whole is unknown, and no pass', () => {
    const [replay] = honestEvidence().replays
    const partly = { ...replay!, draws: 40 }
    expect(verdicts({ ...honestEvidence(), replays: [partly] })).toEqual({ replay: 'unknown' })
  })

  test('a wrong token in the very tail of the probe fails', () => {
    const { replays } = honestEvidence()
    const tail = { ...replayedDraw(99, 0), margin: 2 }
    const probe = { ...replays[1]!, replayed: replays[1]!.replayed.with(99, tail) }
    expect(verdicts({ ...honestEvidence(), replays: [replays[0]!, probe] })).toEqual({ replay: 'fail' })
  })

  test('a probe of which the tail was not replayed is no pass', () => {
    const { replays } = honestEvidence()
    const probe = { ...replays[1]!, replayed: replays[1]!.replayed.slice(0, -1) }
    expect(verdicts({ ...honestEvidence(), replays: [replays[0]!, probe] })).toEqual({ replay: 'unknown' })
  })

  test('is not measurable, and no pass, when nothing was replayed', () => {
    expect(verdicts(withDraws([]))).toEqual({ replay: 'not measurable' })
  })
})

describe('same-seed', () => {
  test('fails when one token differs', () => {
    const repeat = streamOf(honestEvents.with(3, token(2, 3)), { purpose: 'repeat' })
    expect(verdicts({ ...honestEvidence(), repeat })).toEqual({ 'same-seed': 'fail' })
  })

  test('fails when the second answer is longer', () => {
    const repeat = streamOf([...honestEvents.slice(0, -1), token(3, 3), end(4)], { purpose: 'repeat' })
    expect(verdicts({ ...honestEvidence(), repeat })['same-seed']).toBe('fail')
  })
})

describe('stream-probe', () => {
  const probe = honestEvidence().probe!
  /** Frames that arrive so, from a worker that tells that it took as long. `computed`: share of the CPU time used by then. */
  const arriving = (when: (index: number) => number, computed?: (ms: number) => number) => {
    const endMs = when(101)
    const told = end(100, { stop_reason: 'MAX_TOKENS', decode_time_ms: endMs, prefill_time_ms: 0 })
    const frames = probe.frames.map((frame, index) => ({ ...frame, ms: when(index) }))
    const samples = Array.from({ length: 101 }, (_, index) => (index * endMs) / 100)
    return withProbe({
      ...probe,
      frames: frames.with(101, { ...frames[101]!, data: JSON.stringify(told) } as Frame),
      ...(computed && { engineCpu: samples.map((ms) => ({ ms, cpuMs: 500 + 1_000 * computed(ms / endMs) })) }),
    })
  }

  /** The verdict of the check alone when all probes are alike. */
  const verdictOfAll = ({ probe, ...evidence }: Evidence) =>
    streamProbeCheck.run({ ...evidence, probe, earlierProbes: Array(PROBES - 1).fill(probe) }).verdict

  test.each<[string, (index: number) => number]>([
    ['one burst at the end', (index) => 1_000 + index / 1_000],
    ['one burst after an early start', (index) => (index === 0 ? 1 : 1_000 + index / 1_000)],
    ['one burst, and an end that comes late', (index) => (index > 100 ? 1_000 : 1)],
    ['a burst at each end', (index) => (index < 50 ? 1 : 1_000)],
  ])('fails on %s: a long one at once, a short one when all probes were such', (_, when) => {
    expect(verdicts(arriving((index) => when(index) * 6))).toEqual({ 'stream-probe': 'fail' })
    expect(verdicts(arriving(when))).toEqual({ 'stream-probe': 'not measurable' })
    expect(verdictOfAll(arriving(when))).toBe('fail')
  })

  test('fails on ten bursts of which one is nearly all', () => {
    expect(verdicts(arriving((index) => (index < 10 ? index * 600 : 6_000)))).toEqual({ 'stream-probe': 'fail' })
  })

  test('passes when a busy machine stops the stream for a third of the time', () => {
    expect(verdicts(arriving((index) => (index < 50 ? index * 10 : 350 + index * 10)))).toEqual({})
  })

  test('fails on all made first, whatever the pace at which it is sent then', () => {
    // Made in the first 15 % of the time; then one by one. From outside, nothing is to be seen of it.
    const drip = (index: number) => (index === 0 ? 1 : 1_200 + index * 68)
    expect(verdicts(arriving(drip))).toEqual({})
    const madeFirst = (share: number) => Math.min(1, share / 0.15)
    expect(verdicts(arriving(drip, madeFirst))).toEqual({ 'stream-probe': 'fail' })
    expect(verdicts(arriving(drip, (share) => share))).toEqual({})
    expect(verdictOfAll(arriving((index) => drip(index) / 10, madeFirst))).toBe('fail')
  })

  test('fails on a long wait for the first token, which is seen from outside too', () => {
    const short = started({ prompt_tokens: 5, max_tokens: 100 })
    const frames = probe.frames.with(0, { ...probe.frames[0]!, data: JSON.stringify(short) } as Frame)
    const arrivingAt = (firstMs: number) =>
      judgeProbe({ ...probe, frames: frames.map((frame, index) => ({ ...frame, ms: firstMs + index * 80 })) }, true)
    expect(arrivingAt(1_000).verdict).toBe('pass')
    expect(arrivingAt(4_000)).toMatchObject({ verdict: 'fail', seen: expect.stringContaining('in 14 of 20 slices') })
  })

  test('passes when the engine was made to wait: no CPU time passed then', () => {
    const late = (index: number) => (index < 50 ? index * 10 : 350 + index * 10)
    const computed = (share: number) => (share < 0.37 ? share / 0.74 : share < 0.63 ? 0.5 : 0.5 + (share - 0.63) / 0.74)
    expect(verdicts(arriving(late, computed))).toEqual({})
  })

  test('says what to do when nobody could tell', () => {
    const quick = arriving((index) => index / 10)
    const told = runChecks(GENUINE_CHECKS, quick).find(({ name }) => name === 'stream-probe')
    expect(told).toMatchObject({ verdict: 'not measurable', seen: expect.stringContaining('Run it again') })
  })

  // 2027 tokens in 916 ms, in 7 of 20 slices, 84 % in one: an honest worker, and a scheduler's pauses.
  const heldUp = (index: number) => (index < 16 ? Math.floor(index / 3) * 46 : index < 100 ? 870 : 916)
  test('an honest short stream on a busy machine is not measurable: neither a failure nor a pass', () => {
    expect(verdicts(arriving(heldUp))).toEqual({ 'stream-probe': 'not measurable' })
    expect(verdictOfAll(arriving(heldUp))).toBe('not measurable')
    expect(verdicts(arriving((index) => heldUp(index) * 10))).toEqual({ 'stream-probe': 'fail' })
  })

  test('a burst is not measurable when the harness itself did not run for most of the time', () => {
    const burst = arriving((index) => 6_000 + index / 1_000).probe!
    expect(verdicts(withProbe({ ...burst, heldUpMs: 5_000 }))).toEqual({ 'stream-probe': 'not measurable' })
    expect(verdicts(withProbe({ ...burst, heldUpMs: 2_000 }))).toEqual({ 'stream-probe': 'fail' })
  })

  test('is not measurable, and no pass, when it was too quick to tell', () => {
    expect(verdicts(arriving((index) => index / 10))).toEqual({ 'stream-probe': 'not measurable' })
  })

  test('is not measurable, and no pass, when there was none', () => {
    expect(verdicts({ ...honestEvidence(), probe: undefined })['stream-probe']).toBe('not measurable')
  })

  test('counts from started when others may have been served first', () => {
    const frames = probe.frames.map((frame) => ({ ...frame, ms: 60_000 + frame.ms }))
    expect(verdicts(withProbe({ ...probe, frames }))).toEqual({ 'stream-probe': 'fail' })
    expect(verdicts({ ...withProbe({ ...probe, frames }), spawned: false })).toEqual({})
  })
})

describe('timing', () => {
  const withTimes = (times: object, ms: (index: number) => number) => {
    const stream = streamOf(honestEvents.with(4, end(3, times)))
    return withHaiku({ ...stream, frames: stream.frames.map((frame, index) => ({ ...frame, ms: ms(index) })) })
  }
  test.each<[string, object, (index: number) => number]>([
    ['more decode time than passed', { decode_time_ms: 5_000 }, (index) => index * 10],
    ['more prefill time than passed', { prefill_time_ms: 5_000 }, (index) => index * 10],
    ['tokens that came for much longer than they were made', { decode_time_ms: 100 }, (index) => index * 1_000],
  ])('fails on %s', (_, times, ms) => {
    expect(verdicts(withTimes(times, ms))).toEqual({ timing: 'fail' })
  })

  test('lets a client read late', () => {
    expect(verdicts(withTimes({ decode_time_ms: 100 }, (index) => index * 300))).toEqual({})
  })

  test.each(['2026-01-01T00:53:57.900Z', '2026-01-01T00:54:02.100Z'])('fails on started_at %s', (started_at) => {
    const lying = withHaiku(streamOf([started({ started_at }), ...honestEvents.slice(1)]))
    expect(verdicts(lying)).toEqual({ timing: 'fail' })
    // Another machine has another clock.
    expect(verdicts({ ...lying, spawned: false }).timing).toBeUndefined()
  })
})

describe('metrics', () => {
  test.each([
    ['tokens out that did not move', metrics(5 + 3 * promptTokens, 5)],
    ['tokens in that are one off', metrics(6 + 3 * promptTokens, 111)],
    ['no counters', { status: 200, text: '' }],
    ['no answer', undefined],
  ])('fails on %s', (_, metricsAfter) => {
    expect(verdicts({ ...honestEvidence(), metricsAfter })).toEqual({ metrics: 'fail' })
  })

  test('is not measurable when others may use the worker, unless it moved too little', () => {
    const others = { ...honestEvidence(), spawned: false, metricsAfter: metrics(1_000, 1_000) }
    expect(verdicts(others)).toEqual({ metrics: 'not measurable' })
    expect(verdicts({ ...others, metricsAfter: metrics(5, 5) })).toEqual({ metrics: 'fail' })
  })
})

describe('process', () => {
  const withInside = (change: object): Evidence => {
    const evidence = honestEvidence()
    return { ...evidence, inside: { ...evidence.inside!, ...change } }
  }
  const after = honestEvidence().inside!.after
  test.each([
    ['a front that the harness did not start', { frontAncestors: [300, 1] }],
    ['an engine that is no process', { after: { ...after, engine: undefined } }],
    ['an engine with another parent', { after: { ...after, engine: processOf(101, 1, 500) } }],
    ['an engine that took no CPU time', { after: { ...after, engine: processOf(101, 100, 10) } }],
    ['an engine that idled while tokens came', { after: { ...after, engine: processOf(101, 100, 30) } }],
    ['a front that was replaced', { after: { ...after, front: { ...processOf(100, 99, 20), startTicks: 7 } } }],
    ['another pid in its ready line', { readyPid: 99 }],
    ['another process that answers', { frontListens: false }],
    ['other processes of the worker that computed', { after: { ...after, othersCpuMs: { 102: 600 } } }],
    ['children of the engine that computed and ended', { after: { ...after, othersCpuMs: { 101: 600 } } }],
    ['a front that computed', { after: { ...after, front: processOf(100, 99, 2_000) } }],
    ['another program', { expectedExecutable: '/usr/bin/python3' }],
    ['an engine that was replaced', { after: { ...after, engine: { ...processOf(101, 100, 500), startTicks: 7 } } }],
  ])('fails on %s', (_, change) => {
    expect(verdicts(withInside(change)).process).toBe('fail')
  })

  test.each<[string, Partial<Health>]>([
    ['front', { front_pid: 99 }],
    ['engine', { engine: { ...healthOf().health!.engine, pid: 99 } }],
  ])('fails when /health named another %s before than after', (_, change) => {
    expect(verdicts({ ...honestEvidence(), healthBefore: healthOf(change) })).toEqual({ process: 'fail' })
  })

  test('passes on what serving takes of a front, beside an engine that has little to compute', () => {
    const busyFront = { ...after, front: processOf(100, 99, 1_100), engine: processOf(101, 100, 120) }
    expect(verdicts(withInside({ after: busyFront }))).toEqual({})
  })

  test('the time of a child that ended counts once, with its parent', () => {
    const before = { ...honestEvidence().inside!.before, othersCpuMs: { 100: 0, 102: 5_000 } }
    const ended = { ...after, othersCpuMs: { 100: 5_100 } }
    expect(verdicts(withInside({ before, after: ended }))).toEqual({})
  })

  test('a GPU that is claimed and that no engine holds open fails, however busy its CPU is', () => {
    const claimed = (where: 'health' | 'started', holdsGpu: boolean | undefined): Evidence => {
      const evidence = withInside({ after: { ...after, holdsGpu } })
      if (where === 'started') {
        const { challenge } = evidence.attempts[0]!
        const stream = streamOf([started({ device: 'cuda:0' }), ...honestEvents.slice(1)])
        return { ...evidence, attempts: [{ challenge, stream }] }
      }
      const health = healthOf({ device: 'cuda:0' })
      return { ...evidence, healthBefore: health, healthAfter: health }
    }
    for (const where of ['health', 'started'] as const) {
      expect(verdicts(claimed(where, false)).process).toBe('fail')
      expect(verdicts(claimed(where, true)).process).toBeUndefined()
      expect(verdicts(claimed(where, undefined)).process).toBeUndefined()
    }
  })

  test('to claim a GPU does not let an idle engine off, unless it holds one', () => {
    const onGpu = (holdsGpu: boolean): Evidence => {
      const evidence = withInside({ after: { ...after, engine: processOf(101, 100, 10), holdsGpu } })
      const health = healthOf({ device: 'cuda:0' })
      return { ...evidence, healthBefore: health, healthAfter: health }
    }
    expect(verdicts(onGpu(false)).process).toBe('fail')
    expect(verdicts(onGpu(true)).process).toBeUndefined()
  })

  test('the emulator is no GPU: its engine must have computed', () => {
    const emulated = (evidence: Evidence): Evidence => {
      const health = healthOf({ device: 'emulator' })
      return { ...evidence, healthBefore: health, healthAfter: health }
    }
    expect(verdicts(emulated(honestEvidence())).process).toBeUndefined()
    const idle = withInside({ after: { ...after, engine: processOf(101, 100, 10), holdsGpu: false } })
    expect(verdicts(emulated(idle)).process).toBe('fail')
  })

  test('is not measurable from outside, and neither is memory', () => {
    const outside = { ...honestEvidence(), inside: undefined, spawned: false }
    expect(verdicts(outside)).toEqual({ process: 'not measurable', memory: 'not measurable' })
  })
})

describe('memory', () => {
  test.each([200e6, 50e6])('fails when /health claims %i bytes and /proc sees 100 million', (claimed) => {
    expect(verdicts({ ...honestEvidence(), healthAfter: healthOf({ memory_bytes_used: claimed }) })).toEqual({
      memory: 'fail',
    })
  })

  test('fails when the processes grew by more than keys and values and what is usual', () => {
    const evidence = honestEvidence()
    const grown = { ...processOf(101, 100, 500), proportionalBytes: 400e6 }
    const inside = { ...evidence.inside!, after: { ...evidence.inside!.after, engine: grown } }
    const healthAfter = healthOf({ memory_bytes_used: 450e6 })
    expect(verdicts({ ...evidence, inside, healthAfter })).toEqual({ memory: 'fail' })
    const roomy = { ...subject, keyValueBytes: 200e6 }
    expect(verdicts({ ...evidence, inside, healthAfter, subject: roomy })).toEqual({})
  })

  test('fails when the model was in memory and is there no longer', () => {
    const evidence = honestEvidence()
    const { after } = evidence.inside!
    const emptied = { ...after.engine!, residentBytes: 400 }
    const proportional = after.engine!.proportionalBytes ?? after.engine!.residentBytes
    const inside = { ...evidence.inside!, after: { ...after, engine: { ...emptied, proportionalBytes: proportional } } }
    expect(verdicts({ ...evidence, inside })).toEqual({ memory: 'fail' })
  })

  test('fails when the model does not fit into what is resident', () => {
    expect(verdicts({ ...honestEvidence(), subject: { ...subject, tensorBytes: 61e6 } })).toEqual({ memory: 'fail' })
  })
})

describe('health and model-sha256', () => {
  test('fail when the model is another', () => {
    const other = healthOf({ model_sha256: 'b'.repeat(64), vocab_size: 27 })
    expect(verdicts({ ...honestEvidence(), healthAfter: other })).toEqual({ health: 'fail', 'model-sha256': 'fail' })
  })

  test.each<[string, Partial<Health>]>([
    ['the worker_id of another worker', { worker_id: '00000000-0000-4000-8000-000000000001' }],
    ['another device than was asked for', { device: 'cuda:0' }],
    ['another precision than was asked for', { precision: 'fast' }],
    ['another context length than the file has', { context_length: 128 }],
    ['another type of weights than the file has', { quant_kind: 'Q8_0' }],
    ['weights that are nowhere', { resident: false }],
    ['memory of a GPU that it does not use', { vram_bytes_used: 1 }],
    ['an engine that is not ready', { engine: { ...healthOf().health!.engine, state: 'stopped' } }],
    ['another model name than before', { model: 'other' }],
  ])('health fails on %s, before the first stream and after the last one', (_, change) => {
    expect(verdicts({ ...honestEvidence(), healthAfter: healthOf(change) }).health).toBe('fail')
    expect(verdicts({ ...honestEvidence(), healthBefore: healthOf(change) }).health).toBe('fail')
  })

  test('health lets a worker make room for less than all of a long context, though not for little', () => {
    const roomy = { ...honestEvidence(), subject: { ...subject, contextLength: 8_192 } }
    const withContext = (context_length: number) => {
      const health = healthOf({ context_length })
      return verdicts({ ...roomy, healthBefore: health, healthAfter: health })
    }
    expect(withContext(8_192)).toEqual({})
    expect(withContext(4_096)).toEqual({})
    expect(withContext(2_048)).toEqual({ health: 'fail' })
    expect(withContext(16_384)).toEqual({ health: 'fail' })
  })

  test("health fails on a name that Plumbline's own worker would not give the model", () => {
    const evidence = honestEvidence()
    const asked = { ...evidence.asked, model: 'fixture' }
    expect(verdicts({ ...evidence, asked })).toEqual({})
    const other = healthOf({ model: 'gpt-5-turbo-70b' })
    expect(verdicts({ ...evidence, asked, healthBefore: other, healthAfter: other }).health).toBe('fail')
  })

  test('a sha256 of another file before the first stream fails, whatever is told after the last one', () => {
    const other = healthOf({ model_sha256: 'b'.repeat(64) })
    expect(verdicts({ ...honestEvidence(), healthBefore: other })).toEqual({ 'model-sha256': 'fail' })
  })

  test('request-identity fails when /health names another model than every stream', () => {
    const other = healthOf({ model: 'other' })
    const seen = verdicts({ ...honestEvidence(), healthBefore: other, healthAfter: other })
    expect(seen).toEqual({ 'request-identity': 'fail' })
  })

  test('a sha256 that nobody has told is not measurable, and no pass', () => {
    const silent = healthOf({ model_sha256: null })
    expect(verdicts({ ...honestEvidence(), healthBefore: silent, healthAfter: silent })).toEqual({
      'model-sha256': 'not measurable',
    })
  })

  test('health fails when the engine was restarted meanwhile', () => {
    const restarted = healthOf({ engine: { state: 'ready', pid: 101, restarts: 1, last_progress_ms: 1 } })
    expect(verdicts({ ...honestEvidence(), healthAfter: restarted })).toEqual({ health: 'fail' })
  })

  test('health fails when its body breaks the protocol, and leaves no check unknown', () => {
    const strange = readHealth(200, '{"status":"fine"}', 0)
    const seen = verdicts({ ...honestEvidence(), healthBefore: strange, healthAfter: strange })
    expect(seen).toMatchObject({ health: 'fail', process: 'fail', memory: 'fail' })
    expect(Object.values(seen)).not.toContain('unknown')
  })

  test.each([
    ['an uptime that stands still', healthOf({}, 200, 61_000)],
    ['an uptime that runs ahead', healthOf({ uptime_seconds: 60 })],
  ])('health fails on %s', (_, healthAfter) => {
    expect(verdicts({ ...honestEvidence(), healthAfter })).toEqual({ health: 'fail' })
  })

  test('health fails on an uptime from before the worker was started', () => {
    const old = healthOf({ uptime_seconds: 60 })
    expect(verdicts({ ...honestEvidence(), healthBefore: old, healthAfter: old })).toEqual({ health: 'fail' })
  })

  test('health fails when the worker is gone', () => {
    expect(verdicts({ ...honestEvidence(), healthAfter: undefined })).toMatchObject({ health: 'fail' })
  })
})

describe('model-file', () => {
  const { file } = subject
  test.each([
    ['holds something else at the end', { ...file, sha256: 'b'.repeat(64) }, 'fail'],
    ['is gone', undefined, 'fail'],
    ['was exchanged and put back', { ...file, changedNs: '2' }, 'not measurable'],
    ['is another one with the same bytes', { ...file, inode: '8' }, 'not measurable'],
  ])('no pass when the file %s', (_, fileAfter, verdict) => {
    expect(verdicts({ ...honestEvidence(), fileAfter })).toEqual({ 'model-file': verdict })
  })

  const mapping = (change: object): Evidence => {
    const evidence = honestEvidence()
    const { before } = evidence.inside!
    const mappedModels = [{ ...before.mappedModels![0]!, ...change }]
    return { ...evidence, inside: { ...evidence.inside!, before: { ...before, mappedModels } } }
  }
  test.each([
    ['another file', { path: '/other.gguf' }],
    ['a file that is no longer there', { path: '/model.gguf (deleted)' }],
    ['another file under the same name', { inode: '8' }],
  ])('fails when the engine has mapped %s', (_, change) => {
    expect(verdicts(mapping(change))).toEqual({ 'model-file': 'fail' })
  })

  test('a file system that tells two devices for one file is let through', () => {
    expect(verdicts(mapping({ device: '00:2b', inode: '8' }))).toEqual({})
  })

  test('our own engine has the model mapped; another may have read it', () => {
    const evidence = honestEvidence()
    const after = { ...evidence.inside!.after, mappedModels: [] }
    const unmapped = { ...evidence, inside: { ...evidence.inside!, after } }
    expect(verdicts(unmapped)).toEqual({ 'model-file': 'fail' })
    const inside = { ...unmapped.inside, expectedExecutable: null }
    expect(verdicts({ ...unmapped, inside })).toEqual({})
  })
})

test('no-echo fails when five words of the prompt come back in a row', () => {
  const echo = [...'a haiku about rain with'].map((letter, index) => token(index, 0, letter))
  const seen = verdicts(withHaiku(streamOf([started(), ...echo, end(echo.length)])))
  expect(seen['no-echo']).toBe('fail')
})
