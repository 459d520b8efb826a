import { expect } from 'vitest'
import { Execution, fakeRequest } from './execute.ts'
import { type SpawnedWorker, until } from './spawn-worker.ts'

interface Requests {
  /** One that goes on long enough to be killed. */
  endless(): object
  short(): object
}

export const FAKE_REQUESTS: Requests = {
  endless: () => fakeRequest({ tokens: 2, ending: 'go-on' }),
  short: () => fakeRequest({ tokens: 1 }),
}

/** Of haiku-nano: 2,000 tokens, and 3. */
export const HAIKU_REQUESTS: Requests = {
  endless: () => ({ ...HAIKU_REQUESTS.short(), max_tokens: 2_000, ignore_eos: true }),
  short: () => ({ job_id: crypto.randomUUID(), messages: [{ role: 'user', content: 'rain' }], max_tokens: 3 }),
}

const signalOf = (n: number) => (n % 2 === 0 ? 'SIGKILL' : 'SIGSEGV')

/**
 * Kills the engine process in the middle of a stream, by SIGKILL and SIGSEGV in turn, with one whole job after each. No engine process
 * may end but by these; one that does fails the test with the reason that the worker gives. Returns how long it took each time until the
 * worker was healthy again, in milliseconds.
 */
export async function killAgainAndAgain(worker: SpawnedWorker, times: number, requests: Requests): Promise<number[]> {
  const recoveries: number[] = []
  const before = (await worker.untilHealthy()).engine.restarts
  for (let n = 0; n < times; n++) {
    const { engine, front_pid } = await worker.untilHealthy()
    const execution = await Execution.start(worker.url, requests.endless())
    await execution.untilTokens(2)
    const killedAt = performance.now()
    process.kill(engine.pid!, signalOf(n))
    await execution.ended
    expect(execution.terminals).toMatchObject([{ type: 'error', code: 'ENGINE_CRASHED' }])
    expect((await worker.untilHealthy()).front_pid).toBe(front_pid)
    recoveries.push(performance.now() - killedAt)
    const next = await Execution.toEnd(worker.url, requests.short())
    expect(next.terminals).toMatchObject([{ type: 'end' }])
  }
  const losses = () => worker.log.filter(({ restarts }) => Number(restarts) > before).map(({ msg }) => msg)
  await until(() => losses().length >= times)
  expect(losses()).toEqual(Array.from({ length: times }, (_, n) => `the engine process was ended by ${signalOf(n)}`))
  return recoveries
}
