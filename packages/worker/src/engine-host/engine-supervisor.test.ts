import { PlumblineError } from '@plumbline/protocol'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { EngineConnectionListener } from './engine-connection.ts'
import { EngineSupervisor } from './engine-supervisor.ts'
import type { EngineInfo } from './messages.ts'

/** The engine processes that were started, each by what it tells the supervisor: the clock here is not the one that processes have. */
const started = vi.hoisted((): EngineConnectionListener[] => [])
const killedFor = vi.hoisted((): PlumblineError[] => [])
vi.mock('./engine-connection.ts', () => ({
  EngineConnection: class {
    readonly pid = 1
    constructor(listener: EngineConnectionListener) {
      started.push(listener)
    }
    send(): void {}
    kill(reason: PlumblineError): void {
      killedFor.push(reason)
    }
  },
}))

vi.mock('./spawn-engine.ts', () => ({ spawnEngine: () => undefined }))

beforeEach(() => {
  started.length = 0
  killedFor.length = 0
  vi.useFakeTimers()
})
afterEach(() => vi.useRealTimers())

const memory = { weights: 1, kvCache: 1, workspace: 1 }
const load = () => started.at(-1)!.onMessage({ type: 'loaded', info: {} as EngineInfo, memory })
const lose = () => started.at(-1)!.onClose(new PlumblineError('ENGINE_CRASHED', 'gone'))

function startedSupervisor(): EngineSupervisor {
  const supervisor = new EngineSupervisor({
    engine: { modelPath: '/nowhere', device: 'cpu', precision: 'fast' },
    stallMs: 10_000,
    adoptVocabulary: () => undefined,
    adoptTokenizer: () => undefined,
  })
  supervisor.start()
  return supervisor
}

function loadedSupervisor(): EngineSupervisor {
  const supervisor = startedSupervisor()
  load()
  return supervisor
}

/** Until another engine process is started, in whole milliseconds. */
function waitForStart(): number {
  const before = started.length
  let waited = 0
  for (; started.length === before; waited++) vi.advanceTimersByTime(1)
  return waited
}

test('from the third loss in a row on, the pause before the next start doubles from 1 s to 60 s', () => {
  const supervisor = loadedSupervisor()
  lose()
  lose()
  expect(started).toHaveLength(3) // at once
  const pauses = Array.from({ length: 9 }, () => {
    lose()
    expect(supervisor).toMatchObject({ state: 'backing_off', inCrashLoop: true })
    const announced = supervisor.readyInMs
    const pause = waitForStart()
    expect(Math.abs(announced - pause)).toBeLessThan(2)
    return pause
  })
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000))
})

test('a job that completes ends the counting', () => {
  const supervisor = loadedSupervisor()
  for (let loss = 0; loss < 4; loss++) {
    lose()
    if (loss >= 2) waitForStart()
  }
  load()
  supervisor.generate({} as Parameters<EngineSupervisor['generate']>[0], { onTokens: () => {}, onDone: () => {} })
  started.at(-1)!.onMessage({ type: 'done', job: 1, stopReason: 'EOS', tokens: 1, prefillMs: 1, decodeMs: 1, memory })
  const before = started.length
  lose()
  expect(started).toHaveLength(before + 1)
})

test('an engine process that a busy machine lets start slowly is not taken for a silent driver', () => {
  startedSupervisor()
  vi.advanceTimersByTime(20_000)
  started[0]!.onMessage({ type: 'hello', pid: 1 })
  vi.advanceTimersByTime(20_000)
  expect(killedFor).toEqual([])
  started[0]!.onMessage({ type: 'probing' })
  vi.advanceTimersByTime(4_800)
  expect(killedFor).toEqual([])
  vi.advanceTimersByTime(400)
  expect(killedFor).toMatchObject([{ code: 'DEVICE_UNAVAILABLE' }])
})

test('an engine process that never gets as far as the driver is replaced after a minute', () => {
  startedSupervisor()
  vi.advanceTimersByTime(59_000)
  expect(killedFor).toEqual([])
  vi.advanceTimersByTime(2_000)
  expect(killedFor).toMatchObject([{ code: 'ENGINE_STALLED', message: expect.stringContaining('did not start') }])
})
