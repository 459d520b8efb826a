import { describe, expect, test } from 'vitest'
import { end, healthOf, honestEvents, honestEvidence, streamOf } from '../../test/helpers/recorded.ts'
import type { Evidence } from '../evidence/evidence.ts'
import type { StreamRecord } from '../probes/stream-record.ts'
import { WorkerFailure } from '../worker-process/worker-failure.ts'
import { diagnoseFailure, diagnoseStreams } from './diagnose.ts'

function withHaiku(stream: StreamRecord, change: Partial<Evidence> = {}): Evidence {
  const evidence = honestEvidence()
  return { ...evidence, attempts: [{ ...evidence.attempts[0]!, stream }], ...change }
}

const cut = honestEvents.slice(0, 3)

describe('diagnoseStreams', () => {
  test('has nothing to say when all streams came to their end', () => {
    expect(diagnoseStreams(honestEvidence())).toBeUndefined()
    expect(diagnoseStreams(withHaiku(streamOf([end(0)])))).toBeUndefined()
  })

  test.each<[string, StreamRecord, string]>([
    [
      'a broken connection',
      streamOf(cut, { close: { how: 'broken', message: 'other side closed' } }),
      'other side closed',
    ],
    ['silence', streamOf(cut, { close: { how: 'timed-out', afterMs: 1 } }), 'the harness hung up'],
    ['a body that just ends', streamOf(cut), 'without a terminal event'],
    ['a refusal', streamOf([], { status: 503, refusal: 'OVERLOADED' }), 'HTTP 503: OVERLOADED'],
    ['no answer', streamOf([], { status: null, close: { how: 'broken', message: 'ECONNREFUSED' } }), 'no answer'],
    [
      'an error event',
      streamOf([...cut, { type: 'error', code: 'ENGINE_CRASHED', message: 'signal 9', retriable: true }]),
      'ENGINE_CRASHED, signal 9',
    ],
  ])('tells %s', (_, stream, words) => {
    const diagnosis = diagnoseStreams(withHaiku(stream))
    expect(diagnosis?.cause).toContain(words)
    expect(diagnosis?.cause).toContain('the worker still answers (healthy)')
    expect(diagnosis?.advice).not.toBe('')
  })

  test('tells when the engine was replaced, and when nobody answers any more', () => {
    const restarted = healthOf({ engine: { state: 'ready', pid: 7, restarts: 1, last_progress_ms: 1 } })
    expect(diagnoseStreams(withHaiku(streamOf(cut), { healthAfter: restarted }))?.cause).toContain('replaced')
    expect(diagnoseStreams(withHaiku(streamOf(cut), { healthAfter: undefined }))?.cause).toContain('no longer answers')
  })
})

test('diagnoseFailure brings cause, advice and the last lines of the log', () => {
  const failure = new WorkerFailure('exited', 'the worker ended (exit code 7)', { command: 'w --x', logTail: ['boom'] })
  expect(diagnoseFailure(failure)).toEqual({
    cause: 'the worker ended (exit code 7)',
    advice: 'Its last words are below. By hand: w --x',
    logTail: ['boom'],
  })
})
